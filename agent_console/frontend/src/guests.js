// Others in a call: asked while the caller hears music, called in, or taking it over.

import { documents } from "./feed.js";
import { ask, element, given, make, RequestError, t } from "./page.js";

const UNDO_MS = 3000;
const TOLD_MS = 6000;

const ownCall = () =>
  [...documents].find(([key, one]) => key.startsWith("call:") && one.agent === given.login)?.[1];

/** The panel behind "With others"; `phone` is the page's phone. Events: "called": somebody was; "left": what
 * had the focus goes away. */
export class Guests extends EventTarget {
  #phone;
  #found = null; // whom the server knows: agents, branches, services, help lines
  #failed = "";
  #told = null; // hides what came of such a key
  #helpAlone = false; // only services and help lines are listed
  #wanted = null; // who is called in by one key unless that is taken back: {digit, kind, to, name, at}

  constructor(phone) {
    super();
    this.#phone = phone;
    element("guests-toggle").addEventListener("click", () => this.toggle());
    element("guest-words").addEventListener("input", () => {
      this.#helpAlone = false;
      this.#list();
    });
    element("guest-list").addEventListener("change", () => this.#offer());
    const form = element("guest-form");
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("click", ({ target }) => target.dataset.act && this.#do(target.dataset.act));
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#show(false);
      if (event.key !== "Enter" || event.target.matches("button")) return;
      event.preventDefault();
      // what fits whoever is chosen (the browser would press the first button), or what was pressed with it
      const wanted = event.ctrlKey ? "transfer" : event.shiftKey ? "invite" : event.altKey ? "consult" : form.dataset.first;
      form.querySelector(`[data-act=${wanted}]`).click();
    });
    element("direct-now").addEventListener("click", () => this.#wanted && this.#ringNow());
    element("direct-not").addEventListener("click", () => this.takeBack());
    setInterval(() => this.#countDown(), 100);
    for (const act of ["together", "back", "leave"]) {
      element(`guest-${act}`).addEventListener("click", () => this.#say({ act }));
    }
  }

  /** One key for each service and help line. It is rung in a moment, in which Escape takes the slip of
   * a finger back; who presses again, or the button, does not wait. */
  direct(digit, repeated) {
    const wanted = given.direct.find((one) => one.digit === digit);
    if (!wanted || repeated) return Boolean(wanted); // a key that is held down is pressed once
    if (this.#wanted?.digit === digit) {
      this.#ringNow();
      return true;
    }
    const { name } = wanted;
    const problem = !wanted.ready
      ? t("{name} cannot be rung from here: its number is not set.", { name })
      : !this.#talks()
        ? t("{name} can be called in once you speak with a caller.", { name })
        : ownCall()?.guest
          ? t("Somebody is in the call already. Let them leave first, then call {name}.", { name })
          : "";
    this.#wanted = problem ? null : { ...wanted, at: Date.now() + UNDO_MS };
    element("direct-now").title = `Alt+${digit}`;
    this.#showDirect(problem || t("{name} is rung in 3 seconds. Esc: do not ring.", { name }));
    return true;
  }

  /** Whether something was taken back. */
  takeBack() {
    if (!this.#wanted) return false;
    const { name } = this.#wanted;
    this.#wanted = null;
    this.#showDirect(t("{name} is not rung.", { name }));
    return true;
  }

  #ringNow() {
    const { kind, to } = this.#wanted;
    this.#wanted = null;
    this.#hideDirect();
    this.#say({ act: "invite", kind, to });
  }

  #countDown() {
    if (!this.#wanted) return;
    const left = Math.max(this.#wanted.at - Date.now(), 0);
    element("direct-left").textContent = String(Math.ceil(left / 1000));
    if (!this.#talks()) this.takeBack(); // the caller has gone meanwhile
    else if (left === 0) this.#ringNow();
  }

  #showDirect(text) {
    element("direct-row").hidden = false;
    element("direct-state").textContent = text;
    for (const id of ["direct-now", "direct-not", "direct-left"]) element(id).hidden = !this.#wanted;
    clearTimeout(this.#told);
    if (!this.#wanted) this.#told = setTimeout(() => this.#hideDirect(), TOLD_MS);
    this.#countDown();
  }

  #hideDirect() {
    clearTimeout(this.#told);
    element("direct-row").hidden = true;
    element("direct-state").textContent = "";
  }

  /** Open or close; `helpAlone`: with emergency services and help lines only. With somebody in the call
   * already: to what can be done with them. */
  async toggle(helpAlone = false) {
    const opening = element("guests").hidden;
    if (opening && !element("guest-row").hidden) return element("guest-row").querySelector("button:not([hidden])").focus();
    if (opening && (!this.#talks() || ownCall()?.guest)) return;
    this.#show(opening);
    if (!opening) return;
    this.#helpAlone = helpAlone;
    element("guest-words").value = "";
    element(helpAlone ? "guest-list" : "guest-words").focus();
    this.#failed = "";
    try {
      this.#found = await ask("GET", "/agent/people");
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      this.#failed = error.message;
    }
    this.#list();
  }

  /** The call, or who is in it, has changed. */
  draw() {
    const talks = this.#talks();
    const call = ownCall();
    const guest = talks ? call?.guest : null;
    element("guests-toggle").hidden = !talks || Boolean(guest);
    if (!guest) this.#leave("guest-row");
    element("guest-row").hidden = !guest;
    if (!talks || guest) this.#show(false);
    if (!guest) return;
    const name = this.#nameOf(guest);
    const rings = call.guest_state === "rings";
    element("guest-state").textContent = rings
      ? t("{name} is rung…", { name })
      : call.aside
        ? t("You speak with {name}; the caller hears music", { name })
        : t("{name} is in the call", { name });
    element("guest-together").hidden = rings || !call.aside;
    element("guest-leave").hidden = rings;
    element("guest-leave").textContent = call.aside ? t("Hand the caller over") : t("Leave them together");
    element("guest-back").textContent = call.aside || rings ? t("Back to the caller") : t("{name} leaves", { name });
  }

  #talks() {
    return this.#phone.call?.state === "talking" || (!this.#phone.running && ownCall()?.state === "talking");
  }

  #leave(id) {
    if (element(id).contains(document.activeElement)) this.dispatchEvent(new Event("left"));
  }

  #show(open) {
    if (!open) this.#leave("guests");
    element("guests").hidden = !open;
    element("guests-toggle").setAttribute("aria-expanded", String(open));
    element("guest-problem").textContent = "";
  }

  #nameOf(target) {
    if (target.startsWith("service-")) return given.services[target.slice(8)] ?? target;
    const doctor = target.startsWith("doc-") && target.slice(4);
    if (doctor) return this.#found?.experts.find((one) => one.id === doctor)?.name ?? doctor;
    return this.#found?.agents.find((one) => one.phone === target)?.name ?? target;
  }

  #all() {
    const found = this.#found;
    if (!found) return [];
    const trust = (number) =>
      [found.checked[number], found.unchecked.includes(number) && t("not tried for long")].filter(Boolean).map((one) => ` · ${one}`).join("");
    const keyOf = (to) => given.direct.filter((one) => one.to === to).map((one) => ` · Alt+${one.digit}`).join("");
    return [
      ...found.services.map((one) => ({ kind: "service", to: one.id, text: `${one.number} ${given.services[one.id] ?? ""}${trust(one.number)}${keyOf(one.id)}`, group: t("Emergency") })),
      ...found.help_lines.map((to) => ({ kind: "outside", to, text: `${to} ${given.help_lines[to] ?? ""}${trust(to)}${keyOf(to)}`, group: t("Emergency"), needs: true })),
      ...found.agents.map((one) => ({
        kind: "agent", to: one.login, text: `${one.name} · ${given.states[one.state] ?? one.state}`, group: t("Agents"),
      })),
      ...found.experts.map((one) => ({ kind: "expert", to: one.id, text: one.name, group: t("Doctors on duty") })),
      ...found.branches.map((to) => ({ kind: "branch", to, text: given.branches[to] ?? to, group: t("Branches") })),
    ].filter((one) => found.outside || !one.needs);
  }

  #list() {
    const words = element("guest-words").value.trim();
    const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").replaceAll("đ", "d").replaceAll("Đ", "D").toLowerCase();
    const shown = this.#all().filter(
      (one) => plain(one.text).includes(plain(words)) && (!this.#helpAlone || one.group === t("Emergency")),
    );
    const number = words.replace(/[\s.()-]/g, "");
    if (/^\d{3,15}$/.test(number) && this.#found?.outside && !shown.some((one) => one.to === number)) {
      shown.push({ kind: "outside", to: number, text: number, group: t("Number outside") });
    }
    const groups = new Map();
    for (const one of shown) {
      if (!groups.has(one.group)) groups.set(one.group, Object.assign(make("optgroup"), { label: one.group }));
      const option = new Option(one.text, JSON.stringify([one.kind, one.to]));
      groups.get(one.group).append(option);
    }
    element("guest-list").replaceChildren(...groups.values());
    element("guest-list").selectedIndex = shown.length ? 0 : -1;
    element("guest-problem").textContent = this.#failed || (this.#found && !shown.length ? t("Nobody of this name is there.") : "");
    this.#offer();
  }

  #chosen() {
    return element("guest-list").value ? JSON.parse(element("guest-list").value) : null;
  }

  #offer() {
    const kind = this.#chosen()?.[0];
    const first = kind === "branch" ? "transfer" : kind === "service" ? "invite" : "consult";
    element("guest-form").dataset.first = first;
    for (const button of element("guest-form").querySelectorAll("button[data-act]")) {
      const leads = button.dataset.act === "transfer"; // a branch is led on to, a doctor asked first or called in
      button.disabled = !kind || (kind === "branch" && !leads) || (kind === "expert" && leads);
      button.classList.toggle("primary", button.dataset.act === first);
    }
  }

  #do(act) {
    const chosen = this.#chosen();
    if (chosen) this.#say({ act, kind: chosen[0], to: chosen[1] });
  }

  async #say(what) {
    const id = ownCall()?.id ?? this.#phone.call?.id;
    const problem = !element("guest-row").hidden
      ? element("guest-row-problem")
      : element("guests").hidden ? element("command") : element("guest-problem");
    problem.textContent = t("Sending…");
    try {
      const { outcome } = await ask("POST", `/agent/calls/${encodeURIComponent(id)}/with`, what);
      problem.textContent = {
        done: "",
        refused: t("Asterisk refused. Please try again."),
        unknown: t("No answer from Asterisk yet. The screen changes when it comes."),
      }[outcome];
      if (outcome === "done") this.#show(false);
      if (what.kind) this.dispatchEvent(new Event("called"));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      problem.textContent = error.message;
    }
  }
}
