// The live documents (see agent_console/feed.py) and the banners that say when they may be old.

import { ask, element, given, setServerTime } from "./page.js";

/** The live documents by key, as of the last message. */
export const documents = new Map();

const LOST_AFTER_MS = 3000; // a short break is not worth a banner
let lostTimer = null;

/** Follow the feed: `onChange(keys)` after each message, `onBack()` whenever it is connected. */
export function follow(onChange, onBack = () => {}) {
  const url = document.body.dataset.feedWorker;
  const receive = ({ data }) => {
    if (!data.connected) return showLost();
    showBack();
    if (!data.set) return;
    setServerTime(data.now);
    const keys = new Set(Object.keys(data.set));
    if (data.everything) {
      for (const key of documents.keys()) keys.add(key);
      documents.clear();
    }
    for (const [key, value] of Object.entries(data.set)) {
      if (value === null) documents.delete(key);
      else documents.set(key, value);
    }
    showFaults();
    showMessages();
    if (data.everything) onBack();
    onChange(keys);
  };
  if ("SharedWorker" in window) {
    const worker = new SharedWorker(url, { name: `feed ${given.login ?? ""}`, type: "module" });
    worker.port.onmessage = receive;
  } else {
    new Worker(url, { type: "module" }).onmessage = receive;
  }
}

function showLost() {
  document.body.dataset.feed = "lost";
  lostTimer ??= setTimeout(async () => {
    element("banner-feed").hidden = false;
    const why = await signedOut();
    element("session-why").textContent = why;
    element("banner-session").hidden = !why;
  }, LOST_AFTER_MS);
}

function showBack() {
  clearTimeout(lostTimer);
  lostTimer = null;
  document.body.dataset.feed = "live";
  element("banner-feed").hidden = true;
  element("banner-session").hidden = true;
}

/** Why the session ended, where not only the connection did; else "". */
export async function signedOut() {
  try {
    await ask("GET", "/session");
    return "";
  } catch (error) {
    return error.status === 401 ? error.message : "";
  }
}

/** How many voice messages nobody has taken, beside the way to them. */
function showMessages() {
  const count = element("messages-count");
  if (count) count.textContent = documents.get("messages")?.untaken || "";
}

function showFaults() {
  element("banner-database").hidden = documents.get("database")?.ok !== false;
  const listeners = [...documents].filter(([key]) => key.startsWith("listener:"));
  element("banner-listener").hidden = listeners.length > 0 && listeners.every(([, one]) => one.connected);
}
