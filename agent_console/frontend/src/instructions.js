// Urgent instructions: on an agent's desk until they are read, on the board with who has not.

import { documents } from "./feed.js";
import { ask, element, given, make, RequestError, t, timeOfDay } from "./page.js";

const concerns = (changed) =>
  [...changed].some((key) => key.startsWith("instruction:") || key.startsWith("read:") || key.startsWith("agent:"));

/** The oldest first: the feed tells them in any order. */
const inForce = () =>
  [...documents].filter(([key]) => key.startsWith("instruction:")).map(([, one]) => one).sort((a, b) => a.id - b.id);

const hasRead = (login, id) => documents.get(`read:${login}`)?.ids.includes(id) ?? false;

const unread = () => inForce().filter((one) => !hasRead(given.login, one.id));

/** On an agent's desk: those that this person has not read. */
export function drawInstructions(changed) {
  if (!concerns(changed)) return;
  const list = element("instructions");
  const wanted = unread();
  const shown = [...list.children].map((item) => Number(item.dataset.instruction));
  for (const item of [...list.children]) {
    if (!wanted.some((one) => one.id === Number(item.dataset.instruction))) item.remove();
  }
  for (const one of wanted.filter(({ id }) => !shown.includes(id))) {
    list.insertBefore(row(one), [...list.children].find((item) => Number(item.dataset.instruction) > one.id) ?? null);
  }
  list.hidden = !list.children.length;
}

function row({ id, version, text, by, at }) {
  const done = make("button", "primary", t("I have read it (F12)"));
  const problem = make("span", "hint", "");
  problem.setAttribute("role", "status");
  done.addEventListener("click", () => acknowledge(id, done, problem));
  const head = make("b", "", version > 1 ? t("Urgent instruction, changed (version {version})", { version }) : t("Urgent instruction"));
  const item = make("li", "", make("div", "", head, make("p", "", text), make("span", "hint", `${by} · ${timeOfDay(at)}`)), done, problem);
  item.dataset.instruction = id;
  return item;
}

async function acknowledge(id, button, problem) {
  button.disabled = true;
  try {
    await ask("POST", `/instructions/${id}/read`);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    problem.textContent = error.message;
    button.disabled = false;
  }
}

/** The key: the first that is not read. */
export function acknowledgeFirst() {
  element("instructions").querySelector("button:not(:disabled)")?.click();
}

/** On the board: each with the agents in the queues who have not read it. */
export function drawReaders(changed, names) {
  if (!concerns(changed)) return;
  const present = [...documents]
    .filter(([key, one]) => key.startsWith("agent:") && one.state !== "offline")
    .map(([, one]) => one.login)
    .sort();
  const rows = inForce().map((one) => {
    const lacking = present.filter((login) => !hasRead(login, one.id));
    const who = lacking.length
      ? t("Not read by {count} of {all}: {names}", { count: lacking.length, all: present.length, names: lacking.map((login) => names[login] ?? login).join(", ") })
      : t("Read by all {all} who are in the queues", { all: present.length });
    const item = make("li", "", make("b", "", one.text), make("span", lacking.length ? "tag warn" : "tag", who));
    item.dataset.instruction = one.id;
    return item;
  });
  element("readers-list").replaceChildren(...rows);
  element("readers").hidden = !rows.length;
}

/** On the board: who should be in the queues, and the handover that waits. */
export function drawShifts(changed) {
  if (changed.has("missing")) {
    const people = documents.get("missing")?.people ?? [];
    const rows = people.map((one) => {
      const since = t("since {time}", { time: timeOfDay(one.since) });
      const where = given.branches[one.branch] ?? t("wherever needed");
      const item = make("li", "", make("b", "", one.name), ` ${one.login} · ${since} · ${where}`);
      item.dataset.missing = one.login;
      return item;
    });
    element("missing-list").replaceChildren(...rows);
    element("missing-count").textContent = String(people.length);
    element("missing").hidden = !people.length;
  }
  if (changed.has("handover")) {
    const waits = documents.get("handover")?.waits;
    const banner = element("banner-handover");
    banner.hidden = !waits;
    banner.replaceChildren();
    if (!waits) return;
    const link = make("a", "", t("Sign it"));
    link.href = `/handovers/${waits.id}`;
    const told = t("{who} has signed a handover at {time}: it waits for the second signature.", {
      who: waits.by, time: timeOfDay(waits.at),
    });
    banner.append(`▲ ${told} `, link);
  }
}
