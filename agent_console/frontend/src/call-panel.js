// The call on the screen: who calls and from where, the phone's buttons, and the note.
// What the ringing phone carries is shown at once; the server adds to it when it can.

import { documents } from "./feed.js";
import { ask, clock, element, given, make, pathInWords, RequestError, serverNow, t } from "./page.js";
import { Notes } from "./notes.js";
import { ringOut } from "./ring.js";

const JOURNAL_MS = 2000; // the record of a call follows its end by about a second
const LONGEST_WAIT_MS = 60_000; // by then, a record that is still to come is the engineers' matter

/** Events: "finished", the note of the call is saved for good; "known", what the server tells of the
 * call on the screen (null: another call, nothing is known yet). */
export class CallPanel extends EventTarget {
  #phone;
  #notes = new Notes(given.login);
  #key = `hotline.call.${given.login}`;
  #call = null; // {id, caller, branch, path, phase, at}: phase ringing | answering | talking | ended | past
  #offered = given.offered; // results that may be noted, as the server told last
  #lacks = ""; // what the chosen result still needs, told at "finish" until something is changed
  #known = null; // id of the call that the server told about

  constructor(phone) {
    super();
    this.#phone = phone;
    this.#call = JSON.parse(localStorage.getItem(this.#key) ?? "null");
    this.#notes.addEventListener("change", () => this.#drawNoteState());
    this.#connect();
    this.#drawNote();
    this.#loadOwnCalls();
  }

  #connect() {
    const phone = this.#phone;
    element("answer").addEventListener("click", () => phone.answer());
    element("hangup").addEventListener("click", () => phone.hangUp());
    element("mute").addEventListener("click", () => phone.mute(!phone.call?.muted));
    element("hold").addEventListener("click", () => phone.hold(!phone.call?.held));
    element("keypad-toggle").addEventListener("click", () => this.toggleKeypad());
    element("keypad").addEventListener("click", ({ target }) => target.dataset.key && this.#press(target.dataset.key));
    element("keypad").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.toggleKeypad();
      else if (/^[0-9*#]$/.test(event.key) && !event.altKey) this.#press(event.key);
    });
    element("ring").addEventListener("click", ({ target }) => ringOut(this.#call.caller, this.#call.id, target, element("ring-state")));
    element("note").addEventListener("input", ({ target }) => this.#edit({ text: target.value }));
    element("results").addEventListener("change", ({ target }) => {
      this.#edit({ result: target.value });
      this.#drawNeeds();
    });
    element("note-case").addEventListener("input", ({ target }) => this.#edit({ case: target.value.replace(/\s/g, "") }));
    element("note-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#finish();
    });
    element("own-calls").addEventListener("click", ({ target }) => {
      this.open(target.dataset.openCall);
    });
  }

  /** The call that rings or goes on now, from the phone in the page or, else, from the feed. */
  #live() {
    const told = [...documents].find(([key, one]) => key.startsWith("call:") && one.agent === given.login)?.[1];
    const phone = this.#phone.call;
    if (phone) {
      const same = told && (!phone.id || told.id === phone.id) ? told : null;
      return {
        id: phone.id ?? same?.id ?? null,
        caller: phone.caller ?? same?.caller ?? null,
        branch: phone.branch ?? same?.branch ?? null,
        path: longer(same?.path, phone.path),
        phase: phone.state,
      };
    }
    return told && { id: told.id, caller: told.caller, branch: told.branch, path: told.path, phase: told.state };
  }

  /** Something changed: at the phone, or in the feed. */
  update() {
    const live = this.#live();
    const before = this.#call;
    if (live) {
      const same = before && (before.id === live.id || (before.id === null && before.phase !== "past"));
      const began = same && before.phase === live.phase ? before.at : serverNow();
      this.#show({ ...(same ? before : {}), ...filled(live), id: live.id, phase: live.phase, at: began });
    } else if (before && !["ended", "past"].includes(before.phase)) {
      this.#show({ ...before, phase: "ended", at: serverNow() });
      const ended = this.#call.id;
      setTimeout(() => this.#loadOwnCalls(ended), JOURNAL_MS);
    } else {
      this.#draw();
    }
  }

  /** The call on the screen, or null. */
  get call() {
    return this.#call;
  }

  /** The id of the call on the screen, or null. */
  get callId() {
    return this.#call?.id ?? null;
  }

  /** Open the note of an earlier call, if no call goes on. */
  open(id) {
    if (id && !this.#live()) this.#show({ id, phase: "past", at: null });
  }

  /** A case was opened beside this call: its code belongs to the note. */
  caseOpened(code) {
    this.#edit({ case: code });
    this.#drawNeeds();
    this.learnAgain();
  }

  /** Something about the call has changed that only the server knows. */
  learnAgain() {
    this.#known = null;
    this.#learn();
  }

  /** Open the keypad, for the keyboard too, or close it. */
  toggleKeypad() {
    const opening = element("keypad").hidden && this.#phone.call?.state === "talking";
    this.#showKeypad(opening);
    element(opening ? "keypad" : "keypad-toggle").focus();
  }

  #press(key) {
    this.#phone.press(key);
    element("keys-sent").value += key;
  }

  serverIsBack() {
    this.#notes.flush();
    this.#known = null;
    this.#learn();
    this.#loadOwnCalls();
  }

  tick() {
    const call = this.#call;
    element("call-time").textContent = call?.at && call.phase !== "ended" ? clock(Math.max(0, serverNow() - call.at)) : "";
  }

  #show(call) {
    const other = call?.id !== this.#call?.id;
    this.#call = call;
    if (call) localStorage.setItem(this.#key, JSON.stringify(call));
    else localStorage.removeItem(this.#key);
    if (other) {
      this.#lacks = "";
      this.#known = null;
      element("ring-state").textContent = "";
      this.#showKeypad(false);
      this.#drawEarlier([]);
      this.#drawHeard([]);
      this.#drawCases([]);
      this.#drawArea(null);
      this.#tell({});
      this.#drawNote();
    }
    this.#draw();
    this.#learn();
  }

  #draw() {
    const call = this.#call;
    const phone = this.#phone.call;
    document.body.dataset.phoneState = phone ? (phone.held ? "held" : phone.state) : call?.phase ?? "idle";
    element("no-call").hidden = call !== null;
    element("call").hidden = call === null;
    element("call-card").dataset.phase = call?.phase ?? "none";
    if (!call) return;
    element("call").dataset.callId = call.id ?? "";
    let state = {
      ringing: t("Incoming call"), answering: t("Answering…"), talking: t("Talking"),
      ended: t("Call ended"), past: t("Earlier call"),
    }[call.phase];
    if (phone?.callback && call.phase === "ringing") state = t("To call back: answer, then the citizen is rung");
    else if (phone?.callback && call.phase === "talking") state = t("Call back: the citizen is rung, please hold on");
    if (phone?.out) state = call.phase === "talking" ? t("The number is rung, or speaks with you") : t("Answer, then the number is rung");
    if (phone?.held) state = t("On hold: the caller hears music");
    else if (phone?.muted) state = t("Muted: the caller does not hear you");
    element("call-state").textContent = state;
    element("caller").textContent = call.caller ?? t("Number withheld");
    element("call-branch").textContent = given.branches[call.branch] ?? call.branch ?? "";
    element("call-path").textContent = pathInWords(call.path);
    // at a phone on the desk or outside only others are called in from here
    element("call-buttons").hidden = !phone && call.phase !== "talking";
    element("hangup").hidden = !phone;
    element("answer").hidden = phone?.state !== "ringing" && phone?.state !== "answering";
    element("answer").disabled = phone?.state === "answering";
    for (const name of ["mute", "hold", "keypad-toggle"]) element(name).hidden = phone?.state !== "talking";
    element("mute").setAttribute("aria-pressed", String(phone?.muted ?? false));
    element("hold").setAttribute("aria-pressed", String(phone?.held ?? false));
    element("ring").hidden = Boolean(phone) || !["ended", "past"].includes(call.phase) || !call.caller;
    if (element("ring").hidden) element("ring-state").textContent = "";
    element("note-form").hidden = call.id === null;
    const about = new URLSearchParams({ call: call.id ?? "", caller: call.caller ?? "" });
    element("new-case").href = `/cases/new?${about}`; // in another tab: the phone stays where it is
    element("finish").disabled = phone !== null || call.phase === "talking";
    if (!phone) this.#showKeypad(false);
    this.tick();
  }

  #showKeypad(open) {
    if (!open) element("keys-sent").value = "";
    element("keypad").hidden = !open;
    element("keypad-toggle").setAttribute("aria-expanded", String(open));
  }

  /** What the server knows of this call: earlier calls, path, and the note from before a reload. */
  async #learn() {
    const id = this.#call?.id;
    if (!id || this.#known === id) return;
    this.#known = id;
    try {
      const told = await ask("GET", `/agent/calls/${encodeURIComponent(id)}`);
      if (this.#call?.id !== id) return;
      this.#call = { ...this.#call, ...filled(told, ["caller", "branch"]), path: longer(told.path, this.#call.path) };
      this.#offered = told.results;
      if (told.note) this.#notes.learn(id, told.note);
      this.#drawEarlier(told.earlier);
      this.#drawHeard(told.heard);
      this.#drawCases(told.cases);
      this.#drawArea(told.area);
      this.#tell(told);
      if (document.activeElement !== element("note")) this.#drawNote();
      this.#draw();
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#known = null; // the feed's next message, or the server's return, tries again
    }
  }

  #tell(told) {
    this.dispatchEvent(new CustomEvent("known", { detail: { ...told, caller: told.caller ?? this.#call?.caller } }));
  }

  #edit(change) {
    this.#lacks = "";
    if (this.#call?.id) this.#notes.edit(this.#call.id, change);
  }

  #finish() {
    const id = this.#call.id;
    const note = this.#notes.get(id);
    const missing = this.#missing(note);
    this.#lacks = missing;
    if (missing) return this.#drawNoteState();
    this.#notes.edit(id, { done: true });
    this.#notes.flush().then(() => this.#loadOwnCalls(id));
    this.#show(null);
    this.dispatchEvent(new Event("finished"));
  }

  /** What the chosen result still needs; the server looks at it again. */
  #missing(note) {
    const rule = this.#offered.find((one) => one.code === note?.result);
    if (!rule) return t("Please choose a result first.");
    const lacks = rule.shortest_note - (note.text ?? "").trim().length;
    if (lacks > 0) return t("This result needs a longer note: {number} letters more.", { number: lacks });
    const opened = document.querySelector("#caller-cases [data-of-call]"); // the server knows its code
    return rule.needs_case && !note.case && !opened ? t("This result needs the code of the case.") : "";
  }

  #drawResults(chosen) {
    const branch = this.#call?.branch;
    const fits = this.#offered.filter((one) => !one.branches.length || !branch || one.branches.includes(branch));
    element("results").replaceChildren(...fits.map(({ code }) => {
      const input = make("input");
      Object.assign(input, { type: "radio", name: "result", value: code, checked: code === chosen });
      const chip = make("label", "chip", input, make("span", "", given.results[code] ?? code));
      chip.dataset.result = code;
      return chip;
    }));
  }

  #drawNeeds() {
    const note = this.#call?.id ? this.#notes.get(this.#call.id) : null;
    element("note-case-field").hidden = !this.#offered.find((one) => one.code === note?.result)?.needs_case;
    if (document.activeElement !== element("note-case")) element("note-case").value = note?.case ?? "";
  }

  #drawNote() {
    const note = this.#call?.id ? this.#notes.get(this.#call.id) : null;
    element("note").value = note?.text ?? "";
    this.#drawResults(note?.result);
    this.#drawNeeds();
    this.#drawNoteState();
  }

  #drawNoteState() {
    const note = this.#call?.id ? this.#notes.get(this.#call.id) : null;
    const state = element("note-state");
    if (!note || (note.edits === 0 && !note.problem)) state.textContent = this.#lacks;
    else if (note.refused) state.textContent = t("The server does not accept this note. Please copy it and tell the administrator.");
    else if (this.#lacks || note.problem) state.textContent = this.#lacks || note.problem;
    else if (note.saved < note.edits) state.textContent = t("Kept in this browser, being sent…");
    else state.textContent = t("Saved.");
    state.dataset.saved = String(Boolean(note) && note.saved >= note.edits);
    const waiting = this.#notes.waiting;
    element("notes-waiting").hidden = waiting === 0;
    element("notes-waiting").textContent = t("Notes kept in this browser until the server takes them: {number}", { number: waiting });
  }

  /** The commune of the caller's last case; they may call from elsewhere. */
  #drawArea(area) {
    element("call-area").hidden = !area;
    element("call-area").textContent = area ? t("Last known place: {area}", { area }) : "";
  }

  /** Cases of this number, the open ones first, each opened in a tab of its own: the phone stays where it is. */
  #drawCases(cases) {
    const drawn = (one) => {
      const link = make("a", "strong", one.code);
      link.href = one.page;
      link.target = "_blank";
      const head = make("p", "row", link, make("span", "tag", one.status));
      if (one.overdue) head.append(make("span", "tag alarm", t("overdue")));
      const item = make("div", "earlier", head, make("p", "", one.summary));
      if (one.of_call) item.dataset.ofCall = one.code;
      return item;
    };
    const ended = cases.filter((one) => one.ended);
    element("caller-cases").replaceChildren(...cases.filter((one) => !one.ended).map(drawn));
    if (ended.length) element("caller-cases").append(make("h3", "", t("Ended")), ...ended.map(drawn));
    element("cases-card").hidden = !cases.length;
  }

  /** The way through the menus with the sentences that the caller heard. */
  #drawHeard(steps) {
    const said = steps.filter((one) => one.said);
    element("heard").hidden = !said.length;
    element("heard-list").replaceChildren(...said.map((one) =>
      make("li", "", `${one.menu}: `, make("q", "", one.said), " ", make("kbd", "", one.key)),
    ));
  }

  #drawEarlier(calls) {
    if (!calls.length) {
      element("earlier").replaceChildren(make("p", "hint", t("None known.")));
      return;
    }
    element("earlier").replaceChildren(...calls.map((call) => {
      const head = [call.at, call.branch, given.outcomes[call.outcome] ?? ""].filter(Boolean).join(" · ");
      const notes = call.notes.map((note) => {
        const text = make("p", "", note.text);
        if (note.result) text.prepend(make("b", "", `${given.results[note.result] ?? note.result}. `));
        text.append(make("span", "hint", ` ${note.author}`));
        return text;
      });
      return make("div", "earlier", make("p", "hint", head), ...notes);
    }));
  }

  /** The list of one's calls; asked for again while the journal's record of `wanted` is to come. */
  async #loadOwnCalls(wanted = null, waitMs = JOURNAL_MS) {
    const answer = await fetch("/agent/calls").catch(() => null);
    // The fragment is made and escaped by the server's template.
    if (answer?.ok && !answer.redirected) element("own-calls").innerHTML = await answer.text();
    const rows = [...document.querySelectorAll("[data-own-call]")];
    if (wanted && waitMs < LONGEST_WAIT_MS && !rows.some((row) => row.dataset.ownCall === wanted)) {
      setTimeout(() => this.#loadOwnCalls(wanted, waitMs * 2), waitMs);
    }
  }
}

/** The journal's path grows; the phone's was taken when it began to ring. */
const longer = (one, other) => ((one?.length ?? 0) >= (other?.length ?? 0) ? one : other) ?? null;

/** Those values that are known. */
function filled(values, names = ["caller", "branch", "path"]) {
  return Object.fromEntries(names.filter((name) => values[name]).map((name) => [name, values[name]]));
}
