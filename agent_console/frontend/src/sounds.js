// Microphone, speakers and the ringing.

const KEY = "hotline.devices";
const CONSTRAINTS = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** The chosen devices: {input, output, ring}, each an id or "" for the computer's own choice. */
export function devices() {
  return { input: "", output: "", ring: "", ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
}

export function choose(change) {
  localStorage.setItem(KEY, JSON.stringify({ ...devices(), ...change }));
}

/** The microphone's sound. Throws a DOMException whose name says why not. */
export async function openMicrophone() {
  if (!navigator.mediaDevices) throw new DOMException("", "InsecureContext");
  const { input } = devices();
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { ...CONSTRAINTS, ...(input ? { deviceId: { exact: input } } : {}) },
    });
  } catch (error) {
    if (!input || error.name === "NotAllowedError") throw error;
    choose({ input: "" }); // the chosen microphone was unplugged
    return navigator.mediaDevices.getUserMedia({ audio: CONSTRAINTS });
  }
}

export function closeMicrophone(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Play an element on a chosen device, where the browser can. */
export async function playOn(audio, device) {
  if (!audio.setSinkId) return;
  await audio.setSinkId(device).catch(() => audio.setSinkId(""));
}

/** Show how loud a stream is, 0 to 1, until the returned function is called. */
export function meter(stream, show) {
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 512 });
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
    show(Math.min(1, Math.sqrt(power) * 4));
  }, 100);
  return () => {
    clearInterval(timer);
    context.close();
    show(0);
  };
}

/** One second of 425 Hz and a pause, as a WAV file: the ringing of a Vietnamese phone. */
function ringingSound() {
  const rate = 8000;
  const samples = new Int16Array(rate * 3);
  for (let i = 0; i < rate; i++) {
    const fade = Math.min(1, i / 200, (rate - i) / 200);
    samples[i] = 9000 * fade * Math.sin((2 * Math.PI * 425 * i) / rate);
  }
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, word) => [...word].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + samples.byteLength, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, rate * 2, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  text(36, "data");
  header.setUint32(40, samples.byteLength, true);
  return URL.createObjectURL(new Blob([header, samples], { type: "audio/wav" }));
}

const bell = new Audio(ringingSound());
bell.loop = true;

/** Ring; false when the browser wants a click on the page first. */
export async function ring() {
  await playOn(bell, devices().ring);
  bell.currentTime = 0;
  try {
    await bell.play();
    return true;
  } catch {
    return false;
  }
}

export function stopRinging() {
  bell.pause();
}

let alarm = null;

/** Two short high tones: somebody must look at this page. Silent until the page has been clicked. */
export function beep(loudness = 0.15) {
  alarm ??= new AudioContext();
  if (alarm.state === "suspended") return void alarm.resume();
  for (const at of [0, 0.25]) {
    const gain = new GainNode(alarm, { gain: loudness });
    const tone = new OscillatorNode(alarm, { frequency: 880 });
    tone.connect(gain).connect(alarm.destination);
    tone.start(alarm.currentTime + at);
    tone.stop(alarm.currentTime + at + 0.15);
  }
}
