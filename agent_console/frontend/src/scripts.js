// The script beside the call: what to say, step by step, by keys alone. It is kept in this browser, so
// that it stands there while the console is dead.

import { ask, element, given, make, RequestError, t } from "./page.js";

const KEPT = "hotline.scripts";

export class Scripts {
  #scripts = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  #way = [0]; // the places of the steps that were gone, the last is shown; null: the end
  #callId = null;

  constructor() {
    element("script-scene").append(new Option(t("Choose a script"), ""), ...Object.entries(given.scenes).map(([id, words]) => new Option(words, id)));
    element("script-scene").addEventListener("change", () => this.#begin());
    element("script").addEventListener("click", ({ target }) => {
      const answer = target.closest("[data-answer]");
      if (answer) this.#answer(Number(answer.dataset.answer));
      if (target.closest("[data-back]")) this.#back();
    });
    document.addEventListener("keydown", (event) => this.#pressed(event));
    this.#fetch();
    this.#draw();
  }

  /** The call on the screen: the script of its branch stands ready when it begins to ring. */
  follow(call) {
    if (!call?.id || call.id === this.#callId || !call.branch) return;
    this.#callId = call.id;
    this.#fetch();
    element("script-scene").value = given.scenes[call.branch] ? call.branch : "";
    this.#begin();
  }

  /** By key: to the choice of a script. */
  focus() {
    element("script-scene").focus();
  }

  async #fetch() {
    try {
      const { scripts } = await ask("GET", "/agent/scripts");
      const changed = JSON.stringify(scripts) !== JSON.stringify(this.#scripts);
      this.#scripts = scripts;
      localStorage.setItem(KEPT, JSON.stringify(scripts));
      if (changed) this.#begin();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error; // those of before are there
    }
  }

  #begin() {
    this.#way = [0];
    this.#draw();
  }

  get #script() {
    return this.#scripts[element("script-scene").value] ?? null;
  }

  get #step() {
    return this.#script?.steps[this.#way.at(-1)] ?? null;
  }

  #answer(number) {
    const step = this.#step;
    if (!step) return;
    const to = step.answers.length ? step.answers[number]?.to : this.#next();
    if (to === undefined) return;
    this.#way.push(to);
    this.#draw();
  }

  #next() {
    const place = this.#way.at(-1) + 1;
    return place < this.#script.steps.length ? place : null;
  }

  #back() {
    if (this.#way.length > 1) this.#way.pop();
    this.#draw();
  }

  #pressed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches("input, textarea, select, [contenteditable]") || !this.#script) return;
    if (/^[1-9]$/.test(event.key)) this.#answer(Number(event.key) - 1);
    else if (event.key === "ArrowRight" && this.#step?.answers.length === 0) this.#answer(0);
    else if (event.key === "ArrowLeft") this.#back();
    else return;
    event.preventDefault();
  }

  #draw() {
    const script = this.#script;
    const parts = [];
    if (script && !script.approved) parts.push(make("p", "", make("span", "tag warn", t("needs approval by the responsible department"))));
    if (script) parts.push(...this.#drawStep());
    else if (element("script-scene").value) parts.push(make("p", "hint", t("There is no such script yet.")));
    element("script").replaceChildren(...parts);
  }

  #drawStep() {
    const step = this.#step;
    const press = (words, key, data) => {
      const made = make("button", "answer", make("kbd", "", key), " ", words);
      Object.assign(made.dataset, data);
      return made;
    };
    const answers = !step
      ? [make("p", "hint", t("The end of the script."))]
      : step.answers.length
        ? step.answers.map((one, place) => press(one.text, String(place + 1), { answer: place }))
        : this.#next() === null ? [make("p", "hint", t("The end of the script."))] : [press(t("Next step"), "→", { answer: 0 })];
    if (this.#way.length > 1) answers.push(press(t("Back"), "←", { back: "" }));
    return [...(step?.lines ?? []).map((line) => make("p", "say", line)), make("div", "stack", ...answers)];
  }
}
