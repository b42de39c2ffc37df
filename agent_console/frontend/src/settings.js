// Choice of microphone, speakers and ringing device, with a trial of each.

import { element, goTo, t } from "./page.js";
import * as sounds from "./sounds.js";

const TRIAL_MS = 6000;
const KINDS = { input: "audioinput", output: "audiooutput", ring: "audiooutput" };

/** Why there is no microphone, in words that say what to do. */
export function microphoneProblem(name) {
  return (
    {
      NotAllowedError: t("The browser refuses the microphone. Click the sign beside the page's address, allow the microphone, and load the page again."),
      NotFoundError: t("No microphone was found. Please plug in the headset and try again."),
      NotReadableError: t("Another program holds the microphone. Please close it and try again."),
      Gone: t("The microphone is gone: the caller does not hear you. Plug the headset in again, or choose another microphone."),
      InsecureContext: t("This page was not opened over HTTPS, so the browser gives no microphone. Please tell the administrator."),
    }[name] ?? t("The microphone cannot be used ({name}).", { name })
  );
}

async function listDevices() {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const chosen = sounds.devices();
  for (const [use, kind] of Object.entries(KINDS)) {
    const options = all
      .filter((one) => one.kind === kind && one.deviceId && one.deviceId !== "default")
      .map((one) => new Option(one.label || t("Device {id}", { id: one.deviceId.slice(0, 6) }), one.deviceId));
    const select = element(`device-${use}`);
    select.replaceChildren(new Option(t("The computer's choice"), ""), ...options);
    select.value = chosen[use];
    if (select.selectedIndex < 0) select.value = "";
  }
}

/** By key: to the choice of the microphone. */
export function openDevices() {
  if (!element("devices").checkVisibility()) return;
  element("devices").open = true;
  goTo("device-input");
}

/** Connect the device settings of the page to the phone; `ring` plays the ringing. */
export function connectSettings(phone, ring) {
  const level = (value) => (element("level").value = value);
  for (const use of Object.keys(KINDS)) {
    element(`device-${use}`).addEventListener("change", (event) => {
      sounds.choose({ [use]: event.target.value });
      if (use === "output") sounds.playOn(element("remote"), event.target.value);
      if (use === "input") phone.changeMicrophone();
    });
  }
  element("devices").addEventListener("toggle", listDevices);
  navigator.mediaDevices?.addEventListener("devicechange", listDevices);

  element("try-microphone").addEventListener("click", async () => {
    let stream;
    try {
      stream = await sounds.openMicrophone();
    } catch (error) {
      element("command").textContent = microphoneProblem(error.name);
      return;
    }
    await listDevices(); // names of devices are known only once the microphone was allowed
    const stop = sounds.meter(stream, level);
    setTimeout(() => {
      stop();
      sounds.closeMicrophone(stream);
    }, TRIAL_MS);
  });
  element("try-ring").addEventListener("click", async () => {
    await ring();
    setTimeout(() => phone.call?.state === "ringing" || sounds.stopRinging(), 3000);
  });
}
