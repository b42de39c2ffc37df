// The SIP phone in the page. It works from what the INVITE carries, without the console's server.

import JsSIP from "jssip";

import * as sounds from "./sounds.js";

const REOFFER_MS = 200;
const GATHERING_MS = 200; // longer gathering only delays the answer: Asterisk learns the rest

/**
 * Events: "registration" (state: connecting, registered, lost, refused, none), "call" (the call
 * changed), "echo" (it begins or ends) and "microphone" (problem: the name of the DOMException, or
 * null; "Gone": it was unplugged).
 * A call: {id, caller, branch, path, state: ringing | answering | talking, muted, held}.
 */
export class Phone extends EventTarget {
  call = null;
  registration = "none";
  #ua = null;
  #session = null;
  #echo = null; // the session with the exchange's echo
  #microphone = null;
  #audio;

  constructor(audio) {
    super();
    this.#audio = audio;
  }

  get running() {
    return this.#ua !== null;
  }

  /** The microphone's stream during a call, for the level meter. */
  get microphone() {
    return this.#microphone;
  }

  /** What carries the call's sound, to be asked how well. */
  get connection() {
    return this.#session?.connection ?? null;
  }

  get echoing() {
    return this.#echo !== null;
  }

  /** Register: `line` is {socket, uri, secret}. */
  start(line) {
    this.stop();
    const ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(line.socket)],
      uri: line.uri,
      password: line.secret,
      register_expires: 120,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 8,
      session_timers: false,
      user_agent: "Hotline 1022 console",
    });
    // A line that was left still says good-bye while the next one is already in use.
    const on = (event, act) => ua.on(event, (detail) => this.#ua === ua && act(detail));
    on("connecting", () => this.#registered(this.registration === "none" ? "connecting" : "lost"));
    on("connected", () => this.#reached());
    on("registered", () => this.#registered("registered"));
    on("unregistered", () => this.#registered("lost"));
    on("disconnected", () => this.#registered("lost"));
    on("registrationFailed", ({ response }) =>
      this.#registered(response && response.status_code < 500 ? "refused" : "lost"),
    );
    on("newRTCSession", ({ session, originator, request }) => {
      if (originator === "remote") this.#ringing(session, request);
    });
    this.#ua = ua;
    ua.start();
  }

  /** Unregister and forget the line; a call that goes on is ended. */
  stop() {
    this.#ua?.stop();
    this.#ua = null;
    this.#registered("none");
  }

  async answer() {
    if (this.call?.state !== "ringing") return;
    const session = this.#session;
    this.#change({ state: "answering" });
    sounds.stopRinging();
    try {
      this.#hears(await sounds.openMicrophone());
    } catch (error) {
      this.#said("microphone", { problem: error.name });
      if (this.#session === session) this.#change({ state: "ringing" });
      return;
    }
    if (this.#session !== session) return this.#release(); // the caller was quicker
    session.answer({ mediaStream: this.#microphone, pcConfig: { iceServers: [] } });
  }

  hangUp() {
    this.#session?.terminate();
  }

  /** The page goes away with the call: whoever speaks is to be led on at once (RFC 3326). */
  abandon() {
    this.#session?.terminate({ extraHeaders: ['Reason: Q.850;cause=41;text="page closed"'] });
  }

  mute(on) {
    if (this.call?.state !== "talking") return;
    if (on) this.#session.mute({ audio: true });
    else this.#session.unmute({ audio: true });
  }

  hold(on) {
    if (this.call?.state !== "talking") return;
    const session = this.#session;
    this.#reoffer(() => this.call.held === on || (on ? session.hold() : session.unhold()));
  }

  /** Change something with the server: it is refused while another change is on its way, and then
   * asked for again. */
  #reoffer(act) {
    const session = this.#session;
    const again = () => this.#session === session && this.call?.state === "talking" && (act() || setTimeout(again, REOFFER_MS));
    again();
  }

  /** Speak on with another microphone: the one in use is gone, or another was chosen. */
  async changeMicrophone() {
    const session = this.#session;
    if (!session?.connection || !this.#microphone) return;
    let fresh;
    try {
      fresh = await sounds.openMicrophone();
    } catch (error) {
      return this.#said("microphone", { problem: error.name });
    }
    if (this.#session !== session) return sounds.closeMicrophone(fresh);
    const [track] = fresh.getAudioTracks();
    track.enabled = !this.call.muted && !this.call.held;
    await session.connection.getSenders().find((one) => one.track?.kind === "audio")?.replaceTrack(track);
    sounds.closeMicrophone(this.#microphone);
    this.#hears(fresh);
    this.#said("call", {});
  }

  /**
   * Ring the exchange's echo, in which one hears oneself. Resolves with {connection, microphone}
   * once it has answered; rejects with a DOMException of the microphone's, or an Error.
   */
  async startEcho() {
    if (this.#session || this.#echo || this.registration !== "registered") throw new Error("busy");
    const microphone = await sounds.openMicrophone();
    if (this.#session || this.#echo) {
      sounds.closeMicrophone(microphone);
      throw new Error("busy");
    }
    const session = this.#ua.call("echo", { mediaStream: microphone, pcConfig: { iceServers: [] } });
    this.#echo = session;
    this.#said("echo", {});
    this.#listen(session.connection);
    session.on("icecandidate", ({ ready }) => setTimeout(ready, GATHERING_MS));
    return new Promise((resolve, reject) => {
      const over = ({ cause }) => {
        sounds.closeMicrophone(microphone);
        if (this.#echo === session) this.#echo = null;
        if (!this.#session) this.#audio.srcObject = null;
        this.#said("echo", {});
        reject(new Error(cause));
      };
      session.on("confirmed", () => resolve({ connection: session.connection, microphone }));
      session.on("ended", over);
      session.on("failed", over);
    });
  }

  stopEcho() {
    this.#echo?.terminate();
  }

  /** Send a key to the other side (RFC 4733). */
  press(key) {
    if (this.call?.state === "talking") this.#session.sendDTMF(key, { transportType: "RFC2833" });
  }

  #ringing(session, request) {
    if (this.#session || this.#echo) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.#session = session;
    const header = (name) => request.getHeader(name) || null;
    this.call = {
      id: header("X-Hotline-Call"),
      caller: header("X-Hotline-Caller"),
      branch: header("X-Hotline-Branch"),
      path: header("X-Hotline-Path"),
      callback: header("X-Hotline-Callback") === "1",
      out: header("X-Hotline-Out"), // the number that is rung once this phone has answered
      state: "ringing",
      muted: false,
      held: false,
    };
    session.on("peerconnection", ({ peerconnection }) => this.#listen(peerconnection));
    session.on("icecandidate", ({ ready }) => setTimeout(ready, GATHERING_MS));
    session.on("confirmed", () => this.#change({ state: "talking" }));
    session.on("muted", () => this.#change({ muted: true }));
    session.on("unmuted", () => this.#change({ muted: false }));
    session.on("hold", ({ originator }) => originator === "local" && this.#change({ held: true }));
    session.on("unhold", ({ originator }) => originator === "local" && this.#change({ held: false }));
    session.on("ended", () => this.#over(session));
    session.on("failed", () => this.#over(session));
    this.#said("call", {});
  }

  /** The server is reached again in mid-call: asked within the call whether it is still there, as
   * nobody could say that the caller has hung up. */
  #reached() {
    const session = this.#session;
    if (this.call?.state === "talking") this.#reoffer(() => session.renegotiate());
  }

  #listen(connection) {
    connection.addEventListener("track", ({ track }) => {
      this.#audio.srcObject = new MediaStream([track]);
      sounds.playOn(this.#audio, sounds.devices().output);
      this.#audio.play().catch(() => {}); // answering was a click: the browser lets it play
    });
  }

  #hears(microphone) {
    this.#microphone = microphone;
    this.#said("microphone", { problem: null });
    const gone = () => this.#microphone === microphone && this.#said("microphone", { problem: "Gone" });
    for (const track of microphone.getAudioTracks()) track.addEventListener("ended", gone);
  }

  #over(session) {
    if (this.#session !== session) return;
    sounds.stopRinging();
    this.#session = null;
    this.call = null;
    this.#audio.srcObject = null;
    this.#release();
    this.#said("call", {});
  }

  #release() {
    sounds.closeMicrophone(this.#microphone);
    this.#microphone = null;
  }

  #change(what) {
    if (!this.call) return;
    Object.assign(this.call, what);
    this.#said("call", {});
  }

  #registered(state) {
    if (this.registration === state) return;
    this.registration = state;
    this.#said("registration", { state });
  }

  #said(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
