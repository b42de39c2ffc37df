// The search box beside the call: articles to read from, contact points to tell or to send by SMS.

import { ask, element, make, RequestError, t } from "./page.js";

const PAUSE_MS = 250; // after the last letter

/** `callId()` is the call whose caller gets an SMS, or null. */
export function connectKnowledge(callId) {
  const box = element("knowledge-words");
  let waiting = null;
  let asked = "";
  box.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, PAUSE_MS);
  });
  element("knowledge-form").addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    look();
  });

  async function look() {
    const words = box.value.trim();
    asked = words;
    if (!words) return element("knowledge-found").replaceChildren();
    let found;
    try {
      found = await ask("GET", `/knowledge/search?q=${encodeURIComponent(words)}`);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      return element("knowledge-found").replaceChildren(make("p", "hint", error.message));
    }
    if (asked !== words) return; // an answer to older words
    const all = [...found.articles.map(drawArticle), ...found.points.map((one) => drawPoint(one, callId))];
    element("knowledge-found").replaceChildren(...(all.length ? all : [make("p", "hint", t("Nothing has these words."))]));
  }
}

function drawArticle({ title, page, category, blocks }) {
  const body = make("div", "article");
  for (const [kind, lines] of blocks) {
    body.append(kind === "list" ? make("ul", "", ...lines.map((line) => make("li", "", line))) : make("p", "lines", lines.join("\n")));
  }
  const whole = make("a", "", t("The whole page"));
  Object.assign(whole, { href: page, target: "_blank" });
  return make("details", "found", make("summary", "", title, " ", make("span", "tag", category)), body, make("p", "hint", whole));
}

function drawPoint(point, callId) {
  const open = { true: ["tag outcome-answered", t("open now")], false: ["tag warn", t("closed now")] }[point.open];
  const state = make("span", "hint");
  state.setAttribute("role", "status");
  const button = make("button", "", t("Send by SMS to the caller"));
  button.type = "button";
  button.addEventListener("click", async () => {
    const call = callId();
    if (!call) return void (state.textContent = t("There is no call."));
    button.disabled = true;
    try {
      const { sent } = await ask("POST", `/points/${point.code}/sms`, { call });
      state.textContent = sent ? t("The SMS is on its way.") : t("It has been sent to this caller already.");
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      state.textContent = error.message;
    } finally {
      button.disabled = false;
    }
  });
  const drawn = make(
    "div", "found stack",
    make("p", "", make("b", "", point.name), " ", make("span", "tag", point.kind), " ", ...(open ? [make("span", ...open)] : [])),
    make("p", "", point.address),
    ...(point.hours ? [make("p", "hint", point.hours)] : []),
    ...(point.phones.length ? [make("p", "strong", point.phones.join(", "))] : []),
    ...(point.note ? [make("p", "hint", point.note)] : []),
    make("div", "row", button, state),
  );
  drawn.dataset.point = point.code;
  return drawn;
}
