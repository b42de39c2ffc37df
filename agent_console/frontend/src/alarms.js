// What every supervisor must see and hear at once: who needs help, and into whose call a service has
// been called. It sounds until somebody sees to it.

import { documents } from "./feed.js";
import { ask, element, given, make, RequestError, t } from "./page.js";
import { beep } from "./sounds.js";

const AGAIN_MS = 3000;
const all = (kind) => [...documents].filter(([key]) => key.startsWith(`${kind}:`)).map(([, one]) => one);
const named = (login) => given.names[login] ?? login;

/** `listen(agent, how)` brings the supervisor into an agent's call, or (`take`) in the agent's place. */
export function connectAlarms(listen) {
  element("room-alarms").addEventListener("click", async ({ target }) => {
    const { act, agent, path, body } = target.dataset;
    if (act) return listen(agent, act);
    if (!path) return;
    try {
      await ask("POST", path, JSON.parse(body));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      element("supervision-answer").textContent = error.message;
      target.after(make("span", "", error.message));
    }
  });
  setInterval(() => {
    if (all("help").some((one) => !one.taken_by) || all("rescue").length) beep();
  }, AGAIN_MS);
}

/** Draw them anew if one of these documents is among what changed. */
export function drawAlarms(changed) {
  if (![...changed].some((key) => key.startsWith("help:") || key.startsWith("rescue:"))) return;
  element("room-alarms").replaceChildren(...all("rescue").map(rescueRow), ...all("help").map(helpRow));
  element("room-alarms").hidden = !element("room-alarms").children.length;
}

function press(words, data) {
  const made = make("button", "", words);
  Object.assign(made.dataset, data);
  return made;
}

function helpRow(one) {
  const words = one.taken_by
    ? t("{name} needs help; {who} sees to it.", { name: named(one.agent), who: one.taken_by })
    : t("{name} needs help now!", { name: named(one.agent) });
  const item = make("li", one.taken_by ? "taken" : "", make("b", "", words));
  const path = `/supervisor/help/${one.id}`;
  if (!one.taken_by) item.append(press(t("I see to it"), { path, body: '{"act":"take"}' }));
  if (one.call) {
    item.append(
      press(t("Listen"), { act: "listen", agent: one.agent }),
      press(t("Whisper"), { act: "whisper", agent: one.agent }),
      press(t("Take over"), { act: "take", agent: one.agent }),
    );
  }
  if (one.taken_by === given.login) item.append(press(t("It is settled"), { path, body: '{"act":"clear"}' }));
  item.dataset.help = one.agent;
  return item;
}

function rescueRow(one) {
  const words = t("{name} has called {number} into the call of {caller}.", {
    name: named(one.agent), number: one.number, caller: one.caller ?? t("Number withheld"),
  });
  const page = make("a", "", t("The case"));
  Object.assign(page, { href: `/cases/${one.case}`, target: "_blank" });
  const item = make(
    "li", "", make("b", "", words), page, press(t("Listen"), { act: "listen", agent: one.agent }),
    press(t("I know of it"), { path: `/supervisor/rescues/${one.call}/seen`, body: "{}" }),
  );
  item.dataset.rescue = one.call;
  return item;
}
