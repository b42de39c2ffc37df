// A case is opened beside the call, on the same page: the form comes from the server, what is typed is
// kept in this browser until the case is there.

import { element, make, given, t } from "./page.js";

/** Events: "opened": a case is there, `detail` is its code; "closed", in the same breath as the key that
 * closes, so that the next one already goes where the focus is then; "private": a field of what is private
 * has the focus, or (`detail` false) has it no longer. `callOf()` is the call on the screen. */
export class CaseForm extends EventTarget {
  #callOf;
  #key = null; // where the draft is kept

  constructor(callOf) {
    super();
    this.#callOf = callOf;
    element("new-case").addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a page of its own is wanted
      event.preventDefault();
      this.open();
    });
    const box = element("case-box");
    box.addEventListener("input", () => this.#keep());
    box.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(event.target);
    });
    box.addEventListener("focusin", ({ target }) => target.matches("[data-private]") && this.#private(true));
    box.addEventListener("focusout", ({ target }) => target.matches("[data-private]") && this.#private(false));
    element("case-close").addEventListener("click", () => this.#close());
    element("case-dialog").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.preventDefault(); // else the browser closes it a little later
      this.#close();
    });
  }

  async open() {
    const call = this.#callOf();
    if (!call || element("case-dialog").open) return;
    this.#key = `hotline.case.${given.login}.${call.id}`;
    const about = new URLSearchParams({ panel: "yes", call: call.id ?? "", caller: call.caller ?? "" });
    this.#say(t("Sending…"));
    // whoever types before the form is there writes what the citizen says
    const early = Object.assign(make("textarea"), { rows: 5, maxLength: 8000, value: this.#kept().summary ?? "" });
    early.setAttribute("aria-labelledby", "case-title");
    element("case-box").replaceChildren(early);
    element("case-dialog").showModal();
    early.focus();
    const answer = await fetch(`/cases/new?${about}`).catch(() => null);
    if (!answer?.ok || answer.redirected) return this.#say(t("The console server does not answer."));
    this.#draw(await answer.text());
    this.#say("");
  }

  #private(detail) {
    this.dispatchEvent(new CustomEvent("private", { detail }));
  }

  #close() {
    element("case-dialog").close();
    this.#private(false);
    this.dispatchEvent(new Event("closed"));
  }

  /** The form is made and escaped by the server's template. */
  #draw(text) {
    this.#private(false); // a field that is taken away may not say so itself
    element("case-box").innerHTML = text;
    const form = element("case-box").querySelector("form");
    for (const [name, value] of Object.entries(this.#kept())) {
      const field = form.elements[name];
      if (field) field.value = value;
    }
    const { summary } = form.elements;
    summary.focus();
    summary.setSelectionRange(summary.value.length, summary.value.length);
  }

  #kept() {
    return JSON.parse(localStorage.getItem(this.#key) ?? "{}");
  }

  #keep() {
    const form = element("case-box").querySelector("form");
    if (!form) {
      const summary = element("case-box").querySelector("textarea").value;
      return localStorage.setItem(this.#key, JSON.stringify({ ...this.#kept(), summary }));
    }
    const typed = [...new FormData(form)].filter(([name]) => !["csrf_token", "call", "panel"].includes(name));
    localStorage.setItem(this.#key, JSON.stringify(Object.fromEntries(typed)));
  }

  async #send(form) {
    this.#say(t("Sending…"));
    const answer = await fetch("/cases", { method: "POST", body: new FormData(form) }).catch(() => null);
    if (!answer || (answer.status !== 201 && answer.status !== 400)) {
      return this.#say(t("The case is not saved yet; what you typed is kept. Please try again."));
    }
    if (answer.status === 400) {
      this.#draw(await answer.text()); // with what is wrong
      return this.#say("");
    }
    const { code, shown, page } = await answer.json();
    localStorage.removeItem(this.#key);
    const link = make("a", "", t("The case"));
    Object.assign(link, { href: page, target: "_blank" });
    element("case-box").replaceChildren(make("p", "", t("The case is open. Its code, to be read to the citizen:")), make("p", "aloud", shown), link);
    this.#say("");
    element("case-close").focus();
    this.dispatchEvent(new CustomEvent("opened", { detail: code }));
  }

  #say(words) {
    element("case-state").textContent = words;
  }
}
