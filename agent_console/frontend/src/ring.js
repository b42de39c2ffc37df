// A number is rung by a click: one's own phone first, from it the number, with the hotline's own shown.

import { ask, RequestError, t } from "./page.js";

/** `call` is the call that it belongs to, or null; what comes of it stands in `words`. */
export async function ringOut(number, call, button, words) {
  button.disabled = true;
  words.textContent = t("Sending…");
  try {
    const { outcome } = await ask("POST", "/work/ring", { number, call: call ?? "" });
    words.textContent = {
      done: t("Your phone rings; then the number is rung."),
      refused: t("Asterisk refused. Please try again."),
      unknown: t("No answer from Asterisk yet. The screen changes when it comes."),
    }[outcome];
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    words.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}
