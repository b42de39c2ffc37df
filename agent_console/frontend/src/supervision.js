// What a supervisor does from the board: listen, help, lead a caller elsewhere, send an agent out.

import { documents } from "./feed.js";
import { ask, clock, element, given, make, RequestError, since, t } from "./page.js";
import { openSkills } from "./skills.js";
import { Phone } from "./phone.js";
import * as sounds from "./sounds.js";

const REFRESH_MS = 3000;
const HOW = ["listen", "whisper", "barge"];

/** The actions of the board. */
export class Supervision {
  #phone = new Phone(element("remote"));
  #line = given.phone;
  #listens = null; // {agent, how, safety} that was asked for last

  constructor() {
    element("waiting").addEventListener("toggle", () => this.#drawWaiting());
    setInterval(() => this.#drawWaiting(), REFRESH_MS);
    if (!given.leads) return; // who only looks
    element("own-phone").addEventListener("click", () => this.#takePhone());
    element("own-hangup").addEventListener("click", () => this.#phone.hangUp());
    element("own-answer").addEventListener("click", () => this.#phone.answer());
    element("own-take").addEventListener("click", () => this.takeOver(this.#listens.agent));
    element("agents").addEventListener("click", ({ target }) => this.#pressed(target));
    document.addEventListener("keydown", (event) => this.#key(event));
    for (const event of ["call", "registration"]) this.#phone.addEventListener(event, () => this.#drawPhone());
    // what was asked for a moment ago is answered by itself: the click was the consent
    this.#phone.addEventListener("call", () => {
      if (this.#phone.call?.state === "ringing" && this.#listens) this.#phone.answer();
    });
    if (this.#line?.kind === "webrtc") this.#phone.start(this.#line);
    this.#drawPhone();
  }

  /** Whether the own phone, in this page, is in a call. */
  get inCall() {
    return this.#phone.call !== null;
  }

  /** The cell of an agent's row. */
  cell(agent) {
    if (!given.leads) return make("td");
    const talks = agent.state === "talking" && agent.call;
    const button = (act, words) => {
      const made = make("button", "small", words);
      Object.assign(made.dataset, { act, agent: agent.login });
      return made;
    };
    const acts = talks && this.#line
      ? [button("listen", t("Listen")), button("whisper", t("Whisper")), button("barge", t("Barge in")), button("take", t("Take over"))]
      : [];
    acts.push(agent.state === "paused" ? button("ready", t("Make ready")) : button("pause", t("Pause")));
    if (!talks) acts.push(button("out", t("Sign out")));
    acts.push(button("skills", t("Skills")));
    return make("td", "acts", ...acts);
  }

  /** What stands beside the own phone: what one hears, or whom one serves. */
  draw() {
    if (given.leads) this.#drawPhone();
  }

  #drawPhone() {
    const call = this.#phone.call;
    const served = [...documents].find(([key, one]) => key.startsWith("call:") && one.agent === given.login)?.[1];
    element("own-take").hidden = !call || !this.#listens || Boolean(served);
    element("own-case").hidden = !served;
    if (served) element("own-case").href = `/cases/new?call=${encodeURIComponent(served.id)}`;
    document.body.dataset.phoneState = call?.state ?? "idle";
    document.body.dataset.registration = this.#line?.kind === "desk" ? "desk" : this.#phone.registration;
    element("own-phone").hidden = this.#line !== null;
    element("own-hangup").hidden = !call;
    element("own-answer").hidden = call?.state !== "ringing";
    let words = t("Take a phone to listen to calls.");
    if (this.#line?.kind === "desk") words = t("Calls ring at the phone {name}.", { name: this.#line.seat });
    else if (this.#line) words = this.#phone.registration === "registered" ? t("Phone connected.") : t("Phone: connecting…");
    if (served) {
      const caller = served.caller ?? t("Number withheld");
      words = t("You serve {caller} ({branch}).", { caller, branch: given.branches[served.branch] ?? "" });
    } else if (call && HOW.includes(this.#listens?.how)) {
      const name = given.names[this.#listens.agent] ?? this.#listens.agent;
      words = {
        listen: t("You hear {name}'s call", { name }),
        whisper: t("{name} hears you, the caller does not", { name }),
        barge: t("You speak in {name}'s call", { name }),
      }[this.#listens.how];
    }
    element("own-state").textContent = words;
  }

  async #takePhone() {
    try {
      sounds.closeMicrophone(await sounds.openMicrophone());
    } catch {
      return this.#say(t("The microphone is needed, if only to listen. Please allow it."));
    }
    await this.#ask("POST", "/supervisor/phone", { kind: "webrtc" }, ({ phone }) => {
      this.#line = phone;
      this.#phone.start(phone);
      this.#drawPhone();
    });
  }

  async #pressed(target) {
    const { act, agent } = target.dataset;
    if (!act) return;
    if (act === "skills") return openSkills(agent, given.names[agent] ?? agent);
    if (HOW.includes(act)) return this.listen(agent, act);
    if (act === "take") return this.takeOver(agent);
    if (act === "out" && !confirm(t("Take {name} out of all queues?", { name: given.names[agent] ?? agent }))) return;
    await this.#ask("POST", `/supervisor/agents/${agent}`, { act, reason: act === "pause" ? "other_work" : undefined });
  }

  async listen(agent, how, safety = "") {
    if (this.#phone.call) this.#phone.hangUp();
    this.#listens = { agent, how, safety };
    await this.#ask("POST", "/supervisor/listen", { agent, how, safety }, ({ outcome }) => {
      if (outcome !== "refused" || safety) return;
      const reason = prompt(t("The call has ended, or the caller refused the recording. To listen for a reason of safety, state it; it is written down:"));
      if (reason?.trim()) this.listen(agent, how, reason);
    });
  }

  /** The caller of an agent is served here from now on; who is in that call already stays in it. */
  async takeOver(agent, safety = this.#listens?.agent === agent ? this.#listens.safety : "") {
    const name = given.names[agent] ?? agent;
    if (!safety && !confirm(t("Take the caller over? The part of {name} in this call ends.", { name }))) return;
    const before = this.#listens;
    this.#listens = { agent, how: "takeover", safety }; // before the phone rings for it
    const answer = await this.#ask("POST", "/supervisor/take-over", { agent, safety });
    if (!answer || answer.outcome === "refused") this.#listens = before;
    if (answer?.outcome !== "refused" || safety) return;
    const reason = prompt(t("The call has ended, or the caller refused the recording. To take it over for a reason of safety, state it; it is written down:"));
    if (reason?.trim()) this.takeOver(agent, reason);
  }

  /** F2 answers, F4 hangs up, F9 takes over the call that one listens to. */
  #key(event) {
    const id = { F2: "own-answer", F4: "own-hangup", F9: "own-take" }[event.key];
    if (!id || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (!event.repeat && element(id).checkVisibility()) element(id).click();
  }

  /** What the server answers; null: it said why not. */
  async #ask(method, path, body, then = null) {
    this.#say(t("Sending…"));
    try {
      const answer = await ask(method, path, body);
      this.#say({
        done: t("Done."), refused: t("Asterisk refused. Please try again."),
        unknown: t("No answer from Asterisk yet. The screen changes when it comes."),
      }[answer.outcome] ?? "");
      then?.(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#say(error.message);
      return null;
    }
  }

  #say(words) {
    element("supervision-answer").textContent = words;
  }

  async #drawWaiting() {
    if (!element("waiting").open || element("waiting").contains(document.activeElement?.closest("select"))) return;
    const answer = await ask("GET", "/supervisor/waiting").catch(() => null);
    if (!answer) return;
    const rows = answer.calls.map((call) => {
      const choice = make("select");
      choice.append(new Option(t("Move to…"), ""), ...given.movable.map((id) => new Option(given.branches[id], id)));
      choice.setAttribute("aria-label", t("Move to…"));
      choice.addEventListener("change", () =>
        this.#ask("POST", `/supervisor/calls/${call.id}/branch`, { branch: choice.value }, () => this.#drawWaiting()),
      );
      return make(
        "tr", "", make("td", "", call.caller ?? t("Number withheld")), make("td", "", given.branches[call.branch] ?? ""),
        make("td", "number", clock(since(call.queued_at))), make("td", "", given.leads ? choice : ""),
      );
    });
    if (!rows.length) {
      const none = make("td", "empty", t("Nobody waits."));
      none.colSpan = 4;
      rows.push(make("tr", "", none));
    }
    document.querySelector("#waiting tbody").replaceChildren(...rows);
  }
}
