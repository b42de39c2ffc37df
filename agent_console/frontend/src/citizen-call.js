// A citizen calls the hotline from the page: one call at a time, each with a token of its own.

import JsSIP from "jssip";

import { closeMicrophone, openMicrophone } from "./sounds.js";

const GATHERING_MS = 200; // longer gathering only delays the call: Asterisk learns the rest
const REFUSALS = { NotAllowedError: "refused", InsecureContext: "insecure" };
const BUSY = [429, 486, 503];

const $ = (id) => document.getElementById(id);
const box = $("call");
let ua = null;
let session = null;
let microphone = null;
let clock = null;

function show(state) {
  box.dataset.state = state;
  $("call-state").textContent = box.dataset[state];
  const busy = ["asking", "calling", "talking"].includes(state);
  const talking = state === "talking";
  $("start").hidden = busy;
  $("end").hidden = !busy;
  $("mute").hidden = $("keys").hidden = $("call-clock").hidden = !talking;
  if (talking) $("keys").querySelector("button").focus();
  else if (!busy) $("start").focus();
}

function over(state) {
  clearInterval(clock);
  closeMicrophone(microphone);
  ua?.stop();
  ua = session = microphone = null;
  show(state);
}

async function call() {
  show("asking");
  try {
    microphone = await openMicrophone();
  } catch (error) {
    over(REFUSALS[error.name] ?? "nothing");
    return;
  }
  if (box.dataset.state !== "asking") return closeMicrophone(microphone); // hung up meanwhile
  show("calling");
  let line;
  try {
    const answer = await fetch("/call/line", { method: "POST", headers: { Accept: "application/json" } });
    if (!answer.ok) return over(BUSY.includes(answer.status) ? "full" : "lost");
    line = await answer.json();
  } catch {
    return over("lost");
  }
  if (box.dataset.state === "calling") dial(line);
}

function dial(line) {
  const own = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(line.socket)],
    uri: line.uri,
    password: line.secret,
    register: false,
    session_timers: false,
    user_agent: "Hotline 1022 page",
  });
  ua = own;
  own.on("disconnected", () => ua === own && !session && over("lost"));
  own.on("connected", () => {
    if (ua !== own || session) return;
    session = own.call(line.target, {
      mediaStream: microphone,
      pcConfig: { iceServers: [] },
      extraHeaders: [`X-Hotline-Token: ${line.token}`],
      eventHandlers: {
        icecandidate: ({ ready }) => setTimeout(ready, GATHERING_MS),
        confirmed: () => talk(),
        ended: () => ua === own && over("ended"),
        failed: ({ message }) =>
          ua === own && over(BUSY.includes(message?.status_code) ? "full" : "lost"),
      },
    });
    session.connection.addEventListener("track", ({ track }) => {
      $("remote").srcObject = new MediaStream([track]);
      $("remote").play().catch(() => {}); // calling was a click: the browser lets it play
    });
  });
  own.start();
}

function talk() {
  const since = Date.now();
  $("pressed").textContent = "";
  $("mute").setAttribute("aria-pressed", "false");
  clock = setInterval(() => {
    const s = Math.floor((Date.now() - since) / 1000);
    $("call-clock").textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  }, 500);
  show("talking");
}

function hangUp() {
  if (session) session.terminate();
  else over("ended");
}

function press(key) {
  if (box.dataset.state !== "talking") return;
  session.sendDTMF(key, { transportType: "RFC2833" });
  $("pressed").textContent += key;
}

$("start").addEventListener("click", call);
$("end").addEventListener("click", hangUp);
$("mute").addEventListener("click", () => {
  const off = $("mute").getAttribute("aria-pressed") !== "true";
  if (off) session.mute({ audio: true });
  else session.unmute({ audio: true });
  $("mute").setAttribute("aria-pressed", String(off));
});
$("keys").addEventListener("click", (event) => event.target.dataset.key && press(event.target.dataset.key));
document.addEventListener("keydown", (event) => {
  if (/^[0-9*#]$/.test(event.key) && !event.ctrlKey && !event.altKey) press(event.key);
});
addEventListener("pagehide", hangUp);
$("start").disabled = false;
