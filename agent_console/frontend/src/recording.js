// The recording of the own call: whether it runs, paused and gone on with, or discarded.

import { documents } from "./feed.js";
import { ask, element, given, goTo, RequestError, t } from "./page.js";

const ownCall = () =>
  [...documents].find(([key, one]) => key.startsWith("call:") && one.agent === given.login)?.[1];

const STATES = () => ({
  on: "● " + t("Is recorded"),
  paused: "❚❚ " + t("The recording is paused: neither side is recorded"),
  discarded: "✕ " + t("The recording is discarded after the call"),
  refused: "○ " + t("The caller refused the recording"),
  off: "○ " + t("Is not recorded any more"),
});

/** Event "left": what had the focus goes away. */
export class Recording extends EventTarget {
  #by = null; // the call whose recording this page has paused by itself
  #last = Promise.resolve(); // what was asked last: a pause and its end come in order

  constructor() {
    super();
    this.#fill("recording-why", given.recording_pauses);
    this.#fill("discard-why", given.recording_discards);
    element("recording-pause").addEventListener("click", () => this.#byHand("paused", element("recording-why").value));
    element("recording-resume").addEventListener("click", () => this.#byHand("resumed"));
    element("discard").addEventListener("click", () => this.#discard());
    element("discard-why").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.#discard();
    });
    element("recording-discard").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      element("recording-discard").open = false;
      element("recording-discard").querySelector("summary").focus();
    });
  }

  /** Pause, or record again: what a single key does. */
  toggle() {
    const state = this.#call()?.recording;
    if (state === "on") this.#byHand("paused", element("recording-why").value);
    if (state === "paused") this.#byHand("resumed");
  }

  /** By key: to why it is to be discarded; a second one does it. */
  askWhy() {
    if (!element("recording-discard").checkVisibility()) return;
    element("recording-discard").open = true;
    goTo("discard-why");
  }

  /** A field of what is private has the focus, or has it no longer. Where the branch wants that,
   * neither side is recorded meanwhile; what the agent paused is not begun again by this. */
  pauseFor(isPrivate) {
    const call = this.#call();
    if (isPrivate && call?.recording === "on" && !this.#by && given.pause_branches.includes(call.branch)) {
      this.#by = call.id;
      this.#say("paused", "typed");
    } else if (!isPrivate && this.#by) {
      const same = this.#by === call?.id;
      this.#by = null;
      if (same) this.#say("resumed");
    }
  }

  draw() {
    const state = this.#call()?.recording;
    const row = element("recording-row");
    if (row.dataset.recording !== (state ?? "") && row.contains(document.activeElement)) this.dispatchEvent(new Event("left"));
    if (row.dataset.recording !== (state ?? "")) element("recording-problem").textContent = "";
    row.hidden = !state;
    row.dataset.recording = state ?? "";
    element("recording-state").textContent = STATES()[state] ?? "";
    element("recording-pause").hidden = element("recording-why").hidden = state !== "on";
    element("recording-resume").hidden = state !== "paused";
    if (!["on", "paused"].includes(state)) element("recording-discard").open = false; // of another call
    element("recording-discard").hidden = !given.may_discard || !["on", "paused"].includes(state);
  }

  #call() {
    const call = ownCall();
    return call?.state === "talking" ? call : null;
  }

  #fill(id, words) {
    element(id).replaceChildren(...Object.entries(words).map(([value, text]) => new Option(text, value)));
  }

  #discard() {
    this.#byHand("discarded", element("discard-why").value);
  }

  #byHand(act, why) {
    this.#by = null;
    this.#say(act, why);
  }

  #say(act, why = "") {
    const call = this.#call();
    if (call) this.#last = this.#last.then(() => this.#send(call, act, why));
  }

  async #send(call, act, why) {
    const problem = element("recording-problem");
    problem.textContent = t("Sending…");
    try {
      const { outcome } = await ask("POST", `/agent/calls/${encodeURIComponent(call.id)}/recording`, { act, why });
      problem.textContent = {
        done: "",
        refused: t("Asterisk refused. Please try again."),
        unknown: t("No answer from Asterisk yet. The screen changes when it comes."),
      }[outcome];
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      problem.textContent = error.message;
    }
  }
}
