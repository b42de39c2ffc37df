// A recording on its page: heard from any moment, one side or both, by keys alone.

import { element, t } from "./page.js";

const audio = element("sound");
const waves = element("waves");
const length = Number(element("player").dataset.length) / 1000;

function seek(seconds) {
  const at = Math.max(0, Math.min(length, seconds));
  if (audio.readyState > 0) audio.currentTime = at;
  else audio.addEventListener("loadedmetadata", () => (audio.currentTime = at), { once: true });
  audio.play();
}

audio.addEventListener("timeupdate", () => {
  const at = audio.currentTime * 1000;
  for (const end of ["x1", "x2"]) element("playhead").setAttribute(end, String(at));
});
audio.addEventListener("play", () => (element("sound-problem").textContent = ""));
// the browser says only that it could not be read: the server says why
audio.addEventListener("error", async () => {
  const answer = await fetch(audio.src, { headers: { Accept: "application/json", Range: "bytes=1-" } });
  if (answer.ok) answer.body?.cancel();
  const told = answer.ok ? null : await answer.json().catch(() => null);
  element("sound-problem").textContent = "■ " + (told?.error ?? t("The recording cannot be played."));
});
waves.addEventListener("click", (event) => {
  const box = waves.getBoundingClientRect();
  seek(((event.clientX - box.left) / box.width) * length);
});
document.addEventListener("click", ({ target }) => {
  if (target.dataset?.seek) seek(Number(target.dataset.seek) / 1000);
});
element("back-5").addEventListener("click", () => seek(audio.currentTime - 5));
element("on-5").addEventListener("click", () => seek(audio.currentTime + 5));
element("speed").addEventListener("change", ({ target }) => (audio.playbackRate = Number(target.value)));
// a note is about what is heard just now
document.querySelector("textarea[name=text]").addEventListener("focus", () => {
  if (audio.currentTime > 0) element("note-at").value = audio.currentTime.toFixed(1);
});

let gains = null; // of the left and the right channel, made when first wanted

function hearSide(side) {
  if (!gains) {
    const context = new AudioContext();
    const splitter = context.createChannelSplitter(2);
    context.createMediaElementSource(audio).connect(splitter);
    gains = [0, 1].map((channel) => {
      const gain = context.createGain();
      splitter.connect(gain, channel);
      gain.connect(context.destination);
      return gain;
    });
    audio.addEventListener("play", () => context.resume());
  }
  gains[0].gain.value = side === "right" ? 0 : 1;
  gains[1].gain.value = side === "left" ? 0 : 1;
}
element("side").addEventListener("change", ({ target }) => hearSide(target.value));
