// Notes about calls: kept in this browser at every key press, sent when the writer pauses, and
// kept until the server has them, however long it is away.

import { ask } from "./page.js";

const PAUSE_MS = 500;
const RETRY_MS = 5000;
const KEPT_MS = 2 * 24 * 3600 * 1000;

/**
 * A note: {text, result, case, done, edits, saved, at, refused, problem}. It waits for the server while
 * `saved` < `edits`; a newer edit during a save is thus never taken for saved.
 */
export class Notes extends EventTarget {
  #prefix;
  #timer = null;
  #sending = false;

  constructor(login) {
    super();
    this.#prefix = `hotline.note.${login}.`;
    for (const [id, note] of this.#all()) {
      if (note.saved === note.edits && Date.now() - note.at > KEPT_MS) this.#drop(id);
    }
    setInterval(() => this.flush(), RETRY_MS);
  }

  get(callId) {
    const kept = localStorage.getItem(this.#prefix + callId);
    return kept ? JSON.parse(kept) : null;
  }

  /** How many notes the server does not have yet. */
  get waiting() {
    return [...this.#all()].filter(([, note]) => note.saved < note.edits).length;
  }

  /** Change a note; it is in this browser when the function returns. */
  edit(callId, change) {
    const before = this.get(callId) ?? { text: "", result: null, case: "", done: false, edits: 0, saved: 0 };
    this.#keep(callId, { ...before, problem: undefined, ...change, edits: before.edits + 1, at: Date.now() });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), PAUSE_MS);
  }

  /** Take over what the server knows, unless this browser has something newer. */
  learn(callId, { text, result, case: code, done }) {
    if (!this.get(callId)) this.#keep(callId, { text, result, case: code, done, edits: 0, saved: 0, at: Date.now() });
  }

  /** Send everything that the server does not have. */
  async flush() {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (const [id, note] of this.#all()) {
        if (note.saved < note.edits && !note.refused) await this.#send(id, note);
      }
    } finally {
      this.#sending = false;
    }
  }

  async #send(callId, note) {
    let outcome = {};
    try {
      const { text, result, case: code, done } = note;
      const told = await ask("PUT", `/agent/calls/${encodeURIComponent(callId)}/note`, { text, result, case: code, done });
      // kept, but something is missing: it stays among what is to be finished
      outcome = { saved: note.edits, ...(told.problem ? { done: false, problem: told.problem } : {}) };
    } catch (error) {
      // 400: it can never be saved as it is. Everything else passes: ask again later.
      if (error.status === 400) outcome = { refused: true };
    }
    this.#keep(callId, { ...this.get(callId), ...outcome });
  }

  #keep(callId, note) {
    localStorage.setItem(this.#prefix + callId, JSON.stringify(note));
    this.dispatchEvent(new CustomEvent("change", { detail: { callId, note } }));
  }

  #drop(callId) {
    localStorage.removeItem(this.#prefix + callId);
  }

  *#all() {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(this.#prefix)) yield [key.slice(this.#prefix.length), JSON.parse(localStorage.getItem(key))];
    }
  }
}
