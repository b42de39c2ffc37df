// The dialog in which a supervisor says what an agent serves, and at which level.

import { ask, element, given, make, RequestError, t } from "./page.js";

let agent = null;

/** Open it for an agent. */
export async function openSkills(login, name) {
  agent = login;
  element("skills-of").textContent = name;
  element("skills-answer").textContent = "";
  let skills = {};
  try {
    ({ skills } = await ask("GET", `/supervisor/agents/${login}/skills`));
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    element("skills-answer").textContent = error.message;
  }
  element("skills-list").replaceChildren(...Object.entries(given.queues)
    .filter(([queue]) => queue !== "emergency")
    .map(([queue, words]) => {
      const choice = make("select");
      choice.dataset.queue = queue;
      choice.append(
        new Option(t("does not serve it"), "0"), new Option(t("1: rung first"), "1"),
        new Option(t("2: when no 1 is free"), "2"), new Option(t("3: when nobody else is free"), "3"),
      );
      choice.value = String(skills[queue] ?? 0);
      return make("label", "", words, choice);
    }));
  element("skills").showModal();
}

export function connectSkills() {
  element("skills-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const skills = {};
    for (const choice of element("skills-list").querySelectorAll("select")) {
      if (choice.value !== "0") skills[choice.dataset.queue] = Number(choice.value);
    }
    const answer = element("skills-answer");
    answer.textContent = t("Sending…");
    try {
      const { outcome } = await ask("PUT", `/supervisor/agents/${agent}/skills`, { skills });
      if (outcome === "done") return element("skills").close();
      answer.textContent = t("It is kept, but Asterisk has not taken it yet: please save again.");
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      answer.textContent = error.message;
    }
  });
  element("skills-cancel").addEventListener("click", () => element("skills").close());
}
