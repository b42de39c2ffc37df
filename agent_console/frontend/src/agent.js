// The agent's desk: state and commands, the phone, the call on the screen and its note.

import { CallPanel } from "./call-panel.js";
import { CaseForm } from "./case-form.js";
import { documents, follow, signedOut } from "./feed.js";
import { Guests } from "./guests.js";
import { acknowledgeFirst, drawInstructions } from "./instructions.js";
import { connectKnowledge } from "./knowledge.js";
import { connectEcho, Line } from "./line.js";
import { pauseLeft } from "./pauses.js";
import { ask, clock, element, everySecond, given, goTo, make, RequestError, since, t, until } from "./page.js";
import { Phone } from "./phone.js";
import { Rescue } from "./rescue.js";
import { Scripts } from "./scripts.js";
import { connectSettings, microphoneProblem, openDevices } from "./settings.js";
import { Recording } from "./recording.js";
import * as sounds from "./sounds.js";
import { drawUnreached, soundUnreached } from "./unreached.js";

const phone = new Phone(element("remote"));
const panel = new CallPanel(phone);
const guests = new Guests(phone);
const scripts = new Scripts();
const caseForm = new CaseForm(() => panel.call);
caseForm.addEventListener("opened", ({ detail }) => panel.caseOpened(detail));
const rescue = new Rescue(() => panel.callId);
guests.addEventListener("called", () => panel.learnAgain());
panel.addEventListener("known", ({ detail }) => rescue.show(detail.rescue, detail.caller));
const recording = new Recording();
caseForm.addEventListener("private", ({ detail }) => recording.pauseFor(detail));
connectKnowledge(() => panel.callId);
let line = given.phone; // the leased phone, or null
let elsewhere = given.elsewhere; // it is in a call in another browser of this agent
let holdsPhone = false; // this tab, and no other, is the phone

const me = () => documents.get(`agent:${given.login}`);

// ---- state and commands: a click only asks, the screen changes when the feed says so

let answered = null; // clears the words of the last command
let stateThen = null; // the state when it was given: its words are old once the state changes

async function command(work) {
  const words = element("command");
  clearTimeout(answered);
  stateThen = me()?.state;
  words.dataset.outcome = "sent";
  words.textContent = t("Sending…");
  let outcome;
  try {
    ({ outcome } = await work());
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    words.dataset.outcome = "failed";
    words.textContent = error.message;
    return null;
  }
  words.dataset.outcome = outcome;
  words.textContent = {
    done: t("Done."),
    refused: t("Asterisk refused. Please try again."),
    unknown: t("No answer from Asterisk yet. The screen changes when it comes."),
  }[outcome];
  if (outcome === "done") answered = setTimeout(() => (words.textContent = ""), 3000);
  return outcome;
}

function drawState() {
  const agent = me();
  const state = agent?.state ?? "offline";
  document.body.dataset.agentState = state;
  if (stateThen !== null && agent?.state !== stateThen) {
    stateThen = null;
    clearTimeout(answered);
    answered = setTimeout(() => (element("command").textContent = ""), 3000);
  }
  element("state-name").textContent =
    line && state === "offline" ? t("Waiting for Asterisk") : given.states[state];
  element("state-reason").textContent = agent?.reason ? given.reasons[agent.reason] ?? agent.reason : "";
  element("banner-in-a-call").hidden = !elsewhere;
  element("sign-in").disabled = elsewhere;
  element("when-out").hidden = line !== null;
  element("when-in").hidden = line === null;
  const reachable = line?.kind === "desk" || phone.registration === "registered";
  element("ready").disabled = !reachable || !["paused", "wrapup", "unreachable"].includes(state);
  const idle = !phone.call && state !== "talking" && state !== "ringing";
  element("leave").disabled = !idle;
  drawTime();
}

function drawTime() {
  const agent = me();
  let time = "";
  if (agent && agent.state !== "offline") time = clock(since(agent.since));
  if (agent?.state === "wrapup" && agent.wrapup_until) {
    time = t("{time} left", { time: clock(until(agent.wrapup_until)) });
  }
  element("state-time").textContent = time;
  const left = pauseLeft(agent);
  element("pause-left").hidden = left === null;
  element("pause-left").dataset.alarm = left < 0 ? "alarm" : "";
  if (left !== null) {
    element("pause-left").textContent = left < 0
      ? t("Pause too long by {time}", { time: clock(-left) })
      : t("{time} of this pause left", { time: clock(left) });
  }
}

function drawQueues() {
  const rows = given.queues.map((queue) => {
    const standing = documents.get(`queue:${queue}`) ?? { waiting: 0, oldest: null };
    const row = make(
      "tr", standing.waiting ? "strong" : "calm", make("td", "", given.queue_names[queue] ?? queue),
      make("td", "number", String(standing.waiting)),
      make("td", "number", standing.oldest ? clock(since(standing.oldest)) : ""),
    );
    row.dataset.queue = queue;
    return row;
  });
  document.querySelector("#queues tbody").replaceChildren(...rows);
}

const TOLD_MS = 60000;
let taken = null; // {call, by, at}: a supervisor has it now

/** Why the own call has ended: said until the wrap-up is over, a minute at least, or the next call comes. */
function drawTaken() {
  const told = documents.get(`taken:${given.login}`);
  if (told && told.call !== taken?.call) taken = { ...told, at: Date.now() };
  const next = me()?.call && me().call !== taken?.call;
  const shown = taken && !next && (me()?.state === "wrapup" || Date.now() - taken.at < TOLD_MS);
  element("banner-taken").hidden = !shown;
  if (shown) element("banner-taken").textContent = "▲ " + t("{who} has taken this call over and serves the caller. Your part is over: please finish your note.", { who: taken.by });
}

async function signIn() {
  const kind = element("phone-kind").value;
  if (kind === "webrtc") {
    const problem = await tryMicrophone();
    if (problem) return showMicrophone(problem);
    if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
  }
  const wanted = kind === "desk" ? element("desk-name").value || null : null;
  await command(async () => {
    const answer = await ask("POST", "/agent/phone", { kind, wanted });
    line = answer.phone;
    startPhone();
    return answer;
  });
  draw();
}

async function leave() {
  await command(async () => {
    const answer = await ask("DELETE", "/agent/phone");
    line = answer.phone;
    startPhone();
    return answer;
  });
  draw();
}

// ---- the phone

async function tryMicrophone() {
  try {
    sounds.closeMicrophone(await sounds.openMicrophone());
    return null;
  } catch (error) {
    return error.name;
  }
}

function showMicrophone(problem) {
  const banner = element("banner-microphone");
  banner.hidden = !problem;
  banner.textContent = problem ? "■ " + microphoneProblem(problem) : "";
}

function startPhone() {
  element("phone-card").hidden = line === null;
  element("desk-phone").hidden = line?.kind !== "desk";
  element("devices").hidden = line?.kind === "desk";
  if (line?.kind === "desk") {
    element("desk-server").textContent = line.server;
    element("desk-user").textContent = line.seat;
    element("desk-secret").textContent = line.secret;
  }
  if (line?.kind === "webrtc" && holdsPhone) phone.start(line);
  else phone.stop();
  drawRegistration();
}

function drawRegistration() {
  const state = line?.kind === "desk" ? "desk" : phone.registration;
  document.body.dataset.registration = state;
  element("registration").textContent = {
    none: t("The phone is off."),
    connecting: t("Phone: connecting…"),
    registered: t("Phone connected."),
    lost: t("Phone not connected; trying again."),
    refused: t("Asterisk does not accept this phone. Please leave the queues and sign in again."),
    desk: t("Calls ring at the phone {name}.", { name: line?.seat }),
  }[state];
  const banner = element("banner-phone");
  const lost = state === "lost" || state === "refused";
  banner.hidden = !lost;
  banner.textContent = lost
    ? "▲ " + t("The phone in this page lost its connection and is trying again. A call that goes on can be heard on; new calls do not ring until it is back.")
    : "";
}

/** Only one tab is the phone: two would take each other's calls. */
function becomePhone() {
  if (!navigator.locks) {
    holdsPhone = true;
    return startPhone();
  }
  const name = `hotline phone ${given.login}`;
  const forever = () => {
    holdsPhone = true;
    element("banner-elsewhere").hidden = true;
    startPhone();
    draw();
    return new Promise(() => {});
  };
  navigator.locks.request(name, { ifAvailable: true }, (lock) => {
    if (lock) return forever();
    element("banner-elsewhere").hidden = false;
    navigator.locks.request(name, forever);
    return null;
  });
}

async function ring() {
  const heard = await sounds.ring();
  if (!heard) element("command").textContent = t("The browser plays no ringing until you click on this page.");
}

let notification = null;
const plainTitle = document.title;

function alertToCall() {
  const ringing = phone.call?.state === "ringing";
  document.title = ringing ? `☎ ${phone.call.caller ?? t("Number withheld")}` : plainTitle;
  if (ringing && !notification && "Notification" in window && Notification.permission === "granted" && document.hidden) {
    notification = new Notification(t("Incoming call"), { body: phone.call.caller ?? t("Number withheld"), requireInteraction: true });
    notification.onclick = () => window.focus();
  }
  if (!ringing) {
    notification?.close();
    notification = null;
  }
}

phone.addEventListener("registration", () => {
  drawRegistration();
  draw();
});
phone.addEventListener("microphone", ({ detail }) => showMicrophone(detail.problem));
let rang = false;
phone.addEventListener("call", () => {
  const ringing = phone.call?.state === "ringing";
  if (ringing && !rang) ring();
  rang = ringing;
  alertToCall();
  draw();
  endWithSession();
});

// ---- wiring

function draw() {
  panel.update();
  scripts.follow(panel.call);
  guests.draw();
  rescue.drawHelp();
  recording.draw();
  drawState();
  drawTaken();
  drawQueues();
}

async function finished() {
  if (me()?.state === "wrapup") await command(() => ask("POST", "/agent/wrapup/end"));
}

const ready = () =>
  me()?.state === "wrapup" ? finished() : command(() => ask("POST", "/agent/state", { reason: null }));

panel.addEventListener("finished", finished);
element("sign-in").addEventListener("click", signIn);
element("leave").addEventListener("click", leave);
element("ready").addEventListener("click", ready);
element("pause").addEventListener("click", () =>
  command(() => ask("POST", "/agent/state", { reason: element("reason").value })),
);
element("reason").replaceChildren(
  ...Object.entries(given.reasons).map(([value, words]) => new Option(words, value)),
);
element("desk-name").replaceChildren(...given.desk_phones.map((name) => new Option(name, name)));
element("phone-kind").addEventListener("change", (event) => {
  element("desk-choice").hidden = event.target.value !== "desk";
});
document.querySelector("#phone-kind option[value=desk]").disabled = given.desk_phones.length === 0;

/** To the end of the note. The caret is set, too: a dialog that closes gives the focus back without
 * it, and keys then go nowhere. */
function toNote() {
  const note = element("note");
  note.focus();
  note.setSelectionRange(note.value.length, note.value.length);
}
caseForm.addEventListener("closed", toNote);
for (const one of [guests, recording]) one.addEventListener("left", toNote); // else keys go nowhere

const KEYS = {
  F2: () => phone.answer(),
  F4: () => phone.hangUp(),
  F1: () => caseForm.open(),
  F3: () => scripts.focus(),
  F6: () => rescue.toggleHelp(),
  "Shift+F7": () => recording.toggle(),
  F7: () => phone.call && phone.mute(!phone.call.muted),
  F8: () => phone.call && phone.hold(!phone.call.held),
  F9: () => guests.toggle(),
  F10: () => guests.toggle(true),
  F12: () => acknowledgeFirst(),
  "Shift+F2": () => press(line ? "ready" : "sign-in"),
  "Shift+F4": () => press("pause"),
  "Shift+F6": () => press("leave"),
  "Shift+F3": () => panel.toggleKeypad(),
  "Shift+F8": () => press("try-echo"),
  "Shift+F9": toNote,
  "Shift+F1": showKeys,
};

/** With Alt, by their place on the keyboard: some layouts make another sign of them. */
const ALT_KEYS = {
  KeyA: () => goTo("rescue-address"),
  KeyC: () => document.querySelector("#own-calls button")?.focus(),
  KeyG: () => goTo("recording-why"),
  KeyI: () => press("heard-toggle"),
  KeyK: () => goTo("knowledge-words"),
  KeyL: () => press("ring"),
  KeyM: openDevices,
  KeyN: () => goTo("reason"),
  KeyP: () => goTo("phone-kind"),
  KeyX: () => recording.askWhy(),
};

function showKeys() {
  if (!document.querySelector("dialog[open]")) element("help").showModal();
}

/** As if clicked: what cannot be clicked now does nothing. */
const press = (id) => element(id).checkVisibility() && element(id).click();

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.ctrlKey && event.target.matches("#note-form *")) press("finish");
  if (event.altKey && !event.ctrlKey && !event.shiftKey && !event.metaKey) {
    // the digits of the numeric block write signs with Alt
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    if (digit && guests.direct(digit, event.repeat)) event.preventDefault();
    const go = ALT_KEYS[event.code];
    if (go) {
      event.preventDefault();
      if (!event.repeat) go();
    }
  }
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Escape" && guests.takeBack()) return event.preventDefault();
  const act = KEYS[(event.shiftKey ? "Shift+" : "") + event.key];
  if (act) {
    event.preventDefault();
    if (!event.repeat) act();
  } else if (event.key === "?" && !event.target.matches("input, textarea, select")) {
    showKeys();
  }
});
element("help-button").addEventListener("click", showKeys);

window.addEventListener("beforeunload", (event) => {
  if (phone.call) event.preventDefault();
});
// The voice cannot outlive the page: the caller is led on at once instead of hearing silence.
window.addEventListener("pagehide", () => phone.call && phone.abandon());

// from the list of what is to be done: the note of a call without a result
const wanted = new URLSearchParams(location.hash.slice(1)).get("call");
if (wanted) {
  history.replaceState(null, "", location.pathname);
  panel.open(wanted);
}
connectSettings(phone, ring);
connectEcho(phone);
const quality = new Line(phone);
soundUnreached(() => phone.call !== null || ["ringing", "talking"].includes(me()?.state));
becomePhone();
follow(
  (keys) => {
    drawUnreached(keys);
    drawInstructions(keys);
    draw();
    endWithSession();
  },
  () => {
    panel.serverIsBack();
    quality.deliver();
  },
);
everySecond(() => {
  drawTime();
  drawTaken();
  drawQueues();
  panel.tick();
});
draw();

/** When the session is gone for good, the phone must not go on ringing for a stranger. */
async function endWithSession() {
  if (document.body.dataset.feed === "lost" && !phone.call && (await signedOut())) phone.stop();
}
setInterval(endWithSession, 30000);

/** The phone comes here once the call in the other browser is over. */
setInterval(async () => {
  if (!elsewhere) return;
  const answer = await ask("GET", "/agent/phone").catch(() => null);
  if (!answer || answer.elsewhere) return;
  elsewhere = false;
  line = answer.phone;
  startPhone();
  draw();
}, 2000);
