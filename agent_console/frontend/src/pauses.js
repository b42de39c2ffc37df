// How much of a pause is left: the sooner of its own end and of what its reason may take in a day.

import { documents } from "./feed.js";
import { since } from "./page.js";

const MINUTE_MS = 60_000;

/** Milliseconds that an agent's pause has left, below 0 once it is too long; null without a limit. */
export function pauseLeft(agent) {
  if (!agent?.paused_at) return null;
  const [atOnce, perDay] = documents.get("pause_limits")?.[agent.reason] ?? [];
  const gone = since(agent.paused_at);
  const ends = [];
  if (atOnce) ends.push(atOnce * MINUTE_MS - gone);
  if (perDay) ends.push(perDay * MINUTE_MS - agent.paused_before_s * 1000 - gone);
  return ends.length ? Math.min(...ends) : null;
}
