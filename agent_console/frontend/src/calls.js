// The list of calls: one player at the foot of the page for what was recorded.

import { element } from "./page.js";

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-sound]");
  if (!link) return;
  event.preventDefault();
  const player = element("player");
  const row = link.closest("tr").cells;
  element("player-name").textContent = `${link.dataset.sound} · ${row[0].textContent} · ${row[1].textContent}`;
  const audio = player.querySelector("audio");
  audio.src = link.href;
  player.hidden = false;
  audio.play();
});
