// How well a call can be heard, from what the network did to its packets. Pure.
//
// The E-model of ITU-T G.107, with its default values and the simplification of its delay term by
// Cole and Rosenbluth ("Voice over IP performance monitoring", 2001); loss as in G.113 appendix I
// for G.711, with the concealment that a browser has (Bpl 25.1) or without any (4.3).

export const CONCEALED = 25.1;
export const PLAIN = 4.3;
export const GOOD = 3.6; // below this many users are dissatisfied (G.107 annex B: R 70)
export const FAIR = 3.1; // below this nearly all are (R 60)
const UNIMPAIRED = 93.2;
const PACKET_MS = 20;

/**
 * Mean opinion score, 1 to 4.4. `loss` is a share from 0 to 1, times are milliseconds; the receiver
 * is taken to buffer twice the jitter.
 */
export function mos({ loss, jitter, roundTrip }, robustness = PLAIN) {
  const delay = roundTrip / 2 + 2 * jitter + PACKET_MS;
  const late = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0);
  const percent = 100 * Math.min(1, Math.max(0, loss));
  const lost = (95 * percent) / (percent + robustness);
  return opinion(UNIMPAIRED - late - lost);
}

/** The score of a rating R (G.107 annex B). */
export function opinion(rating) {
  const r = Math.min(100, Math.max(0, rating));
  return Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

/** good | fair | bad */
export const verdict = (score) => (score >= GOOD ? "good" : score >= FAIR ? "fair" : "bad");

/**
 * What happened since the report before: {heard, sent, roundTrip}, each direction {loss, jitter} or
 * null while nothing is known of it. `before` and `now` are as `read` makes them.
 */
export function between(before, now) {
  const heard = now.heard && before?.heard ? share(before.heard, now.heard) : null;
  return { heard, sent: now.sent, roundTrip: now.roundTrip ?? before?.roundTrip ?? 0 };
}

function share(before, now) {
  const received = now.received - before.received;
  const lost = Math.max(0, now.lost - before.lost);
  if (received + lost === 0) return null; // nobody sends: a caller on hold, a number that rings
  return { loss: lost / (received + lost), jitter: now.jitter };
}

/** The parts of an RTCStatsReport that matter here; times in milliseconds. */
export function read(report) {
  const found = { heard: null, sent: null, roundTrip: null };
  let path = null;
  for (const one of report.values()) {
    if (one.kind === "audio" && one.type === "inbound-rtp") {
      found.heard = { received: one.packetsReceived, lost: one.packetsLost, jitter: 1000 * (one.jitter ?? 0) };
    } else if (one.kind === "audio" && one.type === "remote-inbound-rtp") {
      found.sent = { loss: one.fractionLost ?? 0, jitter: 1000 * (one.jitter ?? 0) };
      if (one.roundTripTime !== undefined) found.roundTrip = 1000 * one.roundTripTime;
    } else if (one.type === "candidate-pair" && one.nominated && one.currentRoundTripTime !== undefined) {
      path = 1000 * one.currentRoundTripTime;
    }
  }
  found.roundTrip ??= path;
  return found;
}

/** Sums a call up: worst and mean score, and the figures of its worst moment. */
export class Summary {
  #count = 0;
  #total = 0;
  #worst = null;

  add({ heard, sent, roundTrip }) {
    const scores = {
      heard: heard && mos({ ...heard, roundTrip }, CONCEALED),
      sent: sent && mos({ ...sent, roundTrip }),
    };
    const known = [scores.heard, scores.sent].filter((one) => one !== null);
    if (!known.length) return null;
    const score = Math.min(...known);
    this.#count += 1;
    this.#total += score;
    if (!this.#worst || score < this.#worst.score) {
      const by = score === scores.sent ? sent : heard;
      this.#worst = { score, loss: by.loss, jitter: by.jitter, roundTrip };
    }
    return { score, scores };
  }

  /** {samples, mean, worst, loss, jitter, round_trip}, or null: nothing was measured. */
  get result() {
    if (!this.#count) return null;
    const { score, loss, jitter, roundTrip } = this.#worst;
    const tenths = (value) => Math.round(10 * value) / 10;
    return {
      samples: this.#count, mean: Math.round((100 * this.#total) / this.#count) / 100,
      worst: Math.round(100 * score) / 100, loss: tenths(100 * loss), jitter: tenths(jitter),
      round_trip: tenths(roundTrip),
    };
  }
}
