// What every page needs: the values the server put into it, its texts, requests, and clocks.

const embedded = document.getElementById("given");

/** The values that the server put into this page. */
export const given = embedded ? JSON.parse(embedded.textContent) : {};

/** A text in the reader's language; `{name}` is replaced by `values.name`. */
export function t(text, values = {}) {
  const words = given.texts?.[text] ?? text;
  return words.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const element = (id) => document.getElementById(id);

/** To a field or button by key, where it can be seen. */
export function goTo(id) {
  if (element(id).checkVisibility()) element(id).focus();
}

/** A new element with a class and text or children. */
export function make(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** The server refused, or could not be reached (status 0). */
export class RequestError extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/** Ask the server; JSON in and out. Throws RequestError with a sentence for the reader. */
export async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        Accept: "application/json",
        "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector("meta[name=csrf-token]").content,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15000),
    });
  } catch {
    throw new RequestError(0, t("The console server does not answer."));
  }
  const said = await answer.json().catch(() => null); // cut off, when the page is left
  if (!answer.ok) throw new RequestError(answer.status, said?.error ?? t("The server refused."));
  if (said === null) throw new RequestError(0, t("The console server does not answer."));
  return said;
}

// This computer's clock may be wrong, and be set while a page is open: times come from the server's,
// and go on by a clock that nobody sets.
let offset = Date.now() - performance.now();

export function setServerTime(iso) {
  offset = Date.parse(iso) - performance.now();
}

/** What the server's clock says, in milliseconds. */
export const serverNow = () => performance.now() + offset;

/** Milliseconds since a time of the server, and until one. */
export const since = (iso) => Math.max(0, serverNow() - Date.parse(iso));
export const until = (iso) => Math.max(0, Date.parse(iso) - serverNow());

// 26/11, as the pages of the server say it: "vi" makes 26-11 of it
const inVietnam = (shape) => new Intl.DateTimeFormat("en-GB", { ...shape, timeZone: "Asia/Ho_Chi_Minh" });
const hourOf = inVietnam({ hour: "2-digit", minute: "2-digit" });
const dayOf = inVietnam({ day: "2-digit", month: "2-digit" });

/** A time in Vietnam, with its day where that is not today: 16:05, 16:05 (26/11) */
export function timeOfDay(iso) {
  const at = new Date(iso), day = dayOf.format(at);
  return day === dayOf.format(serverNow()) ? hourOf.format(at) : `${hourOf.format(at)} (${day})`;
}

/** 65000 → 1:05, and 3725000 → 1:02:05 */
export function clock(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  const [minutes, rest] = parts;
  const tail = String(rest).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** Call `draw` now and at each full second. */
export function everySecond(draw) {
  draw();
  setInterval(draw, 1000);
}

/** The short path of a call, `main.3/vaccine.0`, in words: Main menu: 3 › Vaccination: 0. */
export function pathInWords(path) {
  if (!path) return "";
  const keys = { "": "…", t: t("no key"), i: t("wrong key") };
  return path
    .split("/")
    .map((step) => {
      const [menu, key = ""] = step.split(".");
      const name = menu === "main" ? t("Main menu") : given.branches?.[menu.split("_")[0]] ?? given.places?.[menu] ?? menu.replaceAll("_", " ");
      return `${name}: ${keys[key] ?? key}`;
    })
    .join(" › ");
}
