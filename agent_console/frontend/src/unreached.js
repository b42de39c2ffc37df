// Emergency calls that broke off in mid-talk, above those that reached nobody: red on every screen, and heard, until somebody has rung back.

import { documents } from "./feed.js";
import { ask, element, given, make, RequestError, t, timeOfDay } from "./page.js";
import { ringOut } from "./ring.js";
import { beep } from "./sounds.js";

const LOOK_MS = 1000;
const AGAIN_MS = 10_000;
const SOFT = 0.04; // a talk goes on under it

const calls = () =>
  [...documents].filter(([key]) => key.startsWith("unreached:")).map(([, call]) => call)
    .sort((a, b) => b.broken_off - a.broken_off || a.at.localeCompare(b.at));

/** A new one is heard at once, and all again and again; whoever speaks hears each once, softly. */
export function soundUnreached(speaks) {
  const heard = new Set();
  let last = 0;
  setInterval(() => {
    const found = calls();
    const fresh = found.filter(({ id }) => !heard.has(id));
    for (const { id } of fresh) heard.add(id);
    const again = found.length && !speaks() && Date.now() - last >= AGAIN_MS;
    if (!fresh.length && !again) return;
    last = Date.now();
    beep(speaks() ? SOFT : undefined);
  }, LOOK_MS);
}

/** By key: to the first of them, to be rung back. */
document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.shiftKey || event.metaKey || event.code !== "KeyU") return;
  event.preventDefault();
  element("unreached").querySelector("button:not([hidden])")?.focus();
});

/** Draw them anew if one of these documents is among what changed. */
export function drawUnreached(changed) {
  if (![...changed].some((key) => key.startsWith("unreached:"))) return;
  const list = element("unreached");
  list.replaceChildren(...calls().map(row));
  list.hidden = !list.children.length;
}

function row({ id, caller, at, broken_off: brokenOff }) {
  const time = timeOfDay(at);
  const words = brokenOff
    ? caller
      ? t("Emergency call that broke off in mid-talk. Ring back first: {number}, called at {time}.", { number: caller, time })
      : t("Emergency call that broke off in mid-talk, from a withheld number, at {time}.", { time })
    : caller
    ? t("Emergency call that reached nobody. Ring back now: {number}, called at {time}.", {
      number: caller, time,
    })
    : t("Emergency call that reached nobody, from a withheld number, at {time}.", { time });
  const done = make("button", "", t("I have rung back"));
  const problem = make("span", "");
  done.addEventListener("click", async () => {
    done.disabled = true;
    try {
      await ask("POST", `/unreached/${id}/rung-back`);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      problem.textContent = error.message;
      done.disabled = false;
    }
  });
  const ring = make("button", "", t("Ring back"));
  ring.hidden = !caller || !given.canRing;
  ring.addEventListener("click", () => ringOut(caller, id, ring, problem));
  const item = make("li", "", make("b", "", words), ring, done, problem);
  item.dataset.call = id;
  return item;
}
