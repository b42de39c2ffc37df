// Texts for incidents: listened to before any caller hears them, as soon as they have been spoken.

import { ask, element, t } from "./page.js";

const AGAIN_MS = 3000;
const audio = element("preview");

document.addEventListener("click", async ({ target }) => {
  const sound = target.closest("[data-listen]")?.dataset.listen;
  if (!sound) return;
  audio.src = sound;
  await audio.play().catch(() => {
    target.closest("[data-text]").querySelector("[role=status]").textContent = t("It cannot be heard just now.");
  });
});

/** Texts that were being spoken when the page came. */
const timer = setInterval(async () => {
  const waiting = [...document.querySelectorAll("[data-unspoken]")];
  if (!waiting.length) return clearInterval(timer);
  const answer = await ask("GET", "/surge/texts").catch(() => null);
  for (const row of waiting) {
    if (!answer?.spoken.includes(Number(row.dataset.text))) continue;
    delete row.dataset.unspoken;
    row.querySelector("[role=status]").textContent = "";
    row.querySelector("[data-listen]").hidden = false;
  }
}, AGAIN_MS);
