// The line of a call while it goes on: how well both sides are heard, whether the microphone gives
// any sound, and what to do where not. At its end the figures go to the server, for the list of calls.

import { ask, element, given, RequestError, t } from "./page.js";
import * as quality from "./quality.js";
import { microphoneProblem } from "./settings.js";
import * as sounds from "./sounds.js";

const SAMPLE_MS = 3000;
const BAD_SAMPLES = 3; // as many in a row, and it is said
const SILENT_MS = 10_000;
const SPEAKING = 0.01; // of what the meter shows: more than a room without anybody
const NOTHING = 0.00002; // a microphone that works is never so quiet
const RETRY_MS = 60_000;
const TENTHS = new Intl.NumberFormat(document.documentElement.lang, { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export class Line {
  #phone;
  #key = `hotline.line.${given.login}.`;
  #leg = null; // {id, call, connection, summary, last, bad, heardOnce, quietSince, stop}

  constructor(phone) {
    this.#phone = phone;
    phone.addEventListener("call", () => this.#follow());
    phone.addEventListener("microphone", ({ detail }) => detail.problem === "Gone" && phone.changeMicrophone());
    navigator.mediaDevices?.addEventListener("devicechange", () => {
      const live = phone.microphone?.getAudioTracks().some((track) => track.readyState === "live");
      if (phone.microphone && !live) phone.changeMicrophone();
    });
    setInterval(() => this.deliver(), RETRY_MS);
    this.deliver();
  }

  /** Send what the server does not have yet. */
  async deliver() {
    for (const key of Object.keys(localStorage).filter((one) => one.startsWith(this.#key))) {
      const { call, ...figures } = JSON.parse(localStorage.getItem(key));
      try {
        await ask("PUT", `/agent/calls/${encodeURIComponent(call)}/line/${key.slice(this.#key.length)}`, figures);
        localStorage.removeItem(key);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (error.status === 400) localStorage.removeItem(key); // it can never be taken as it is
      }
    }
  }

  #follow() {
    const call = this.#phone.call;
    if (call?.state === "talking" && !this.#leg) this.#begin(call);
    else if (!call && this.#leg) this.#end();
  }

  #begin(call) {
    const leg = {
      id: crypto.randomUUID?.() ?? String(Math.random()).slice(2), call: call.id, summary: new quality.Summary(),
      last: null, bad: 0, heardOnce: false, quietSince: Date.now(), stream: null, stopMeter: null,
    };
    leg.timer = setInterval(() => this.#sample(leg), SAMPLE_MS);
    this.#leg = leg;
    this.#meter(leg);
    element("call-line").hidden = false;
    this.#draw("unknown", "");
    this.#sample(leg);
  }

  #end() {
    const leg = this.#leg;
    this.#leg = null;
    clearInterval(leg.timer);
    leg.stopMeter?.();
    element("call-line").hidden = true;
    element("banner-line").hidden = true;
    element("banner-silent").hidden = true;
    const figures = leg.summary.result;
    if (!leg.call || !figures) return;
    localStorage.setItem(this.#key + leg.id, JSON.stringify({ call: leg.call, ...figures }));
    this.deliver();
  }

  async #sample(leg) {
    const { connection, call } = this.#phone;
    if (!connection || this.#leg !== leg) return;
    this.#meter(leg);
    const now = quality.read(await connection.getStats());
    if (this.#leg !== leg || call?.held) return;
    const gone = ["disconnected", "failed"].includes(connection.iceConnectionState);
    const none = { loss: 1, jitter: 0 };
    const measured = gone ? { heard: none, sent: none, roundTrip: 0 } : quality.between(leg.last, now);
    leg.last = now;
    const found = leg.summary.add(measured);
    if (!found) return;
    const state = quality.verdict(found.score);
    leg.bad = state === "bad" ? leg.bad + 1 : 0;
    const worse = found.score === found.scores.sent ? measured.sent : measured.heard;
    this.#draw(state, t("loss {loss} %, jitter {jitter} ms, round trip {trip} ms, score {score} of 4.4", {
      loss: Math.round(100 * worse.loss), jitter: Math.round(worse.jitter),
      trip: Math.round(measured.roundTrip), score: TENTHS.format(found.score),
    }));
    this.#warn(leg, gone, found.scores);
  }

  #draw(state, figures) {
    const line = element("line-state");
    element("call-line").dataset.quality = state;
    line.textContent = {
      unknown: t("Line: being measured"), good: t("Line: good"), fair: t("Line: fair"), bad: t("Line: bad"),
    }[state];
    line.title = figures;
    element("line-figures").textContent = figures;
  }

  #warn(leg, gone, scores) {
    const banner = element("banner-line");
    if (leg.bad === 0) banner.hidden = true;
    if (leg.bad < BAD_SAMPLES) return;
    const callerHears = scores.sent !== null && quality.verdict(scores.sent) === "bad";
    banner.hidden = false;
    banner.textContent = "▲ " + (gone
      ? t("The sound is interrupted: this computer does not reach the exchange. Check the network cable or Wi-Fi; the caller is kept and led on if it does not come back.")
      : callerHears
        ? t("The caller hears you badly: the network of this computer loses your words. Stop downloads and videos, use a cable instead of Wi-Fi, and repeat what matters.")
        : t("You hear the caller badly: words are lost on the way. Ask the caller to repeat, and stop downloads and videos on this computer."));
  }

  /** Follow the microphone's level; of another stream once the microphone was changed. */
  #meter(leg) {
    const stream = this.#phone.microphone;
    if (leg.stream === stream) return;
    leg.stopMeter?.();
    leg.stream = stream;
    leg.stopMeter = stream && sounds.meter(stream, (level) => {
      element("level").value = level;
      element("call-level").value = level;
      if (this.#leg === leg) this.#listen(leg, level);
    });
  }

  /** Nothing of the agent since the call began, or no sound at all, not even of the room. */
  #listen(leg, level) {
    const call = this.#phone.call;
    const sounding = level > (leg.heardOnce ? NOTHING : SPEAKING);
    if (sounding || call?.muted || call?.held) {
      leg.heardOnce ||= level > SPEAKING;
      leg.quietSince = Date.now();
      element("banner-silent").hidden = true;
    } else if (Date.now() - leg.quietSince > SILENT_MS) {
      element("banner-silent").hidden = false;
      element("banner-silent").textContent = "■ " + t("Your microphone is silent: the caller does not hear you. Look whether the headset is switched off, or choose another microphone.");
    }
  }
}

const ECHO_MS = 8000;
const ECHO_FROM_MS = 1500; // by then one's first words have come back
const AUDIBLE = 0.02;

/** Ring the exchange's echo and say in plain words how one is heard. */
export function connectEcho(phone) {
  const result = element("echo-result");
  const button = element("try-echo");
  const say = (outcome, words) => {
    result.dataset.outcome = outcome;
    result.textContent = words;
  };
  const draw = () => {
    button.disabled = phone.registration !== "registered" || phone.call !== null;
    button.textContent = phone.echoing ? t("Stop") : t("Try the line: hear yourself");
  };
  for (const event of ["registration", "call", "echo"]) phone.addEventListener(event, draw);
  draw();

  button.addEventListener("click", async () => {
    if (phone.echoing) return phone.stopEcho();
    say("sent", t("Please speak: you hear yourself after a moment."));
    let echo;
    try {
      echo = await phone.startEcho();
    } catch (error) {
      const microphone = error instanceof DOMException;
      return say("failed", microphone ? microphoneProblem(error.name) : t("The echo could not be reached. Please try again in a moment."));
    }
    say(...await measured(echo, () => phone.echoing));
    phone.stopEcho();
  });
}

async function measured({ connection, microphone }, going) {
  const began = Date.now();
  let own = 0;
  let back = 0;
  const stopOwn = sounds.meter(microphone, (level) => {
    element("level").value = level;
    own = Math.max(own, level);
  });
  const remote = new MediaStream(connection.getReceivers().map((one) => one.track));
  const stopBack = sounds.meter(remote, (level) => {
    if (Date.now() - began > ECHO_FROM_MS) back = Math.max(back, level);
  });
  const summary = new quality.Summary();
  let last = null;
  while (going() && Date.now() - began < ECHO_MS) {
    await new Promise((done) => setTimeout(done, 500));
    const now = quality.read(await connection.getStats());
    summary.add(quality.between(last, now));
    last = now;
  }
  stopOwn();
  stopBack();
  const found = summary.result;
  if (own < AUDIBLE) return ["failed", t("Your microphone gives no sound. Look whether the headset is switched off, or choose another microphone, and try again.")];
  if (back < AUDIBLE) return ["failed", t("Your voice did not come back: the network lets no sound through to the exchange. Please tell the administrator.")];
  const state = found ? quality.verdict(found.mean) : "good";
  return [state === "bad" ? "failed" : "done", {
    good: t("You are heard well, and the network is good."),
    fair: t("You are heard; the network is only fair. Stop downloads and videos while you take calls."),
    bad: t("You are heard, but the network loses words. Use a cable instead of Wi-Fi, or another computer, before you take calls."),
  }[state]];
}
