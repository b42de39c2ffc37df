// Help for the agent and for the caller: the key that alarms the supervisors, and, while an emergency
// service or help line is in the call, number and address large enough to be read out.

import { documents } from "./feed.js";
import { ask, element, given, RequestError, t } from "./page.js";

const PAUSE_MS = 400;

/** `callId()` is the call on the screen, or null. */
export class Rescue {
  #callId;
  #timer = null;
  #sent = null; // the address as the server has it

  constructor(callId) {
    this.#callId = callId;
    element("help-now").addEventListener("click", () => this.toggleHelp());
    element("rescue-address").addEventListener("input", ({ target }) => {
      element("rescue-aloud").textContent = target.value;
      localStorage.setItem(this.#key(), target.value);
      this.#showState();
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#save(), PAUSE_MS);
    });
    setInterval(() => this.#save(), 5000);
  }

  /** What the server knows of the call on the screen: null, or {number, address, case, page}. */
  show(told, caller) {
    element("rescue").hidden = !told;
    if (!told) return;
    element("rescue-to").textContent = told.number;
    element("rescue-number").textContent = caller ?? t("Number withheld");
    Object.assign(element("rescue-case"), { href: told.page, textContent: t("Case {code}", { code: told.case }) });
    this.#sent = told.address;
    const field = element("rescue-address");
    if (document.activeElement !== field) field.value = localStorage.getItem(this.#key()) ?? told.address;
    element("rescue-aloud").textContent = field.value;
    this.#showState();
  }

  async toggleHelp() {
    const needed = !documents.get(`help:${given.login}`);
    const words = element("help-state");
    words.textContent = t("Sending…");
    try {
      await ask("POST", "/agent/help", { needed });
      words.textContent = "";
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      words.textContent = error.message;
    }
  }

  drawHelp() {
    const asked = documents.get(`help:${given.login}`);
    element("help-now").setAttribute("aria-pressed", String(Boolean(asked)));
    element("help-now").textContent = asked ? t("Help is not needed any more") : t("I need help now");
    if (!asked) element("help-state").textContent = "";
    else element("help-state").textContent = asked.taken_by ? t("{who} is coming.", { who: asked.taken_by }) : t("All supervisors are alarmed.");
    document.body.dataset.help = asked ? (asked.taken_by ? "taken" : "asked") : "none";
  }

  #key() {
    return `hotline.address.${given.login}.${this.#callId()}`;
  }

  async #save() {
    const address = element("rescue-address").value;
    if (element("rescue").hidden || this.#sent === null || address === this.#sent) return;
    try {
      await ask("PUT", `/agent/calls/${encodeURIComponent(this.#callId())}/address`, { address });
      this.#sent = address;
      if (localStorage.getItem(this.#key()) === address) localStorage.removeItem(this.#key());
    } catch (error) {
      if (!(error instanceof RequestError)) throw error; // kept in this browser, sent again
    }
    this.#showState();
  }

  #showState() {
    const { value } = element("rescue-address");
    element("rescue-state").textContent =
      value !== this.#sent ? t("Kept in this browser, being sent…") : value ? t("Saved.") : ""; // no word of nothing
  }
}
