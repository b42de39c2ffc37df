// The day so far by half-hours, drawn when it changes: bars of calls, a line of the service level.

import { element, make, t } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 760, HEIGHT = 200, LEFT = 44, RIGHT = 40, BOTTOM = 22, TOP = 8;

function shape(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.append(text);
  return made;
}

const hour = (slot) => `${String(Math.floor(slot / 2)).padStart(2, "0")}:${slot % 2 ? "30" : "00"}`;
const share = ({ in_time: inTime, counted }) => (counted ? inTime / counted : null);

function picture(slots) {
  const most = Math.max(2, ...slots.map((one) => one.attempts));
  const high = HEIGHT - BOTTOM - TOP;
  const step = (WIDTH - LEFT - RIGHT) / 48;
  const y = (part) => HEIGHT - BOTTOM - part * high;
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.setAttribute("aria-label", t("The day by half-hours. The table below has the same numbers."));
  for (const part of [0, 0.5, 1]) {
    svg.append(
      shape("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y(part), y2: y(part) }),
      shape("text", { x: LEFT - 6, y: y(part) + 4, "text-anchor": "end" }, String(Math.round(most * part))),
      shape("text", { x: WIDTH - RIGHT + 4, y: y(part) + 4 }, `${part * 100}%`),
    );
  }
  slots.forEach((one, slot) => {
    let bottom = HEIGHT - BOTTOM;
    [one.answered, one.abandoned, one.attempts - one.answered - one.abandoned].forEach((part, series) => {
      const height = (part / most) * high;
      bottom -= height;
      if (part) svg.append(shape("rect", { class: `series-${series}`, x: LEFT + slot * step + 1, y: bottom, width: step - 2, height }));
    });
  });
  for (let slot = 0; slot < 48; slot += 4)
    svg.append(shape("text", { x: LEFT + slot * step, y: HEIGHT - 6 }, hour(slot)));
  const points = slots.map((one, slot) => [slot, share(one)]).filter(([, value]) => value !== null);
  svg.append(shape("polyline", {
    class: "line", points: points.map(([slot, value]) => `${LEFT + (slot + 0.5) * step},${y(value)}`).join(" "),
  }));
  return svg;
}

function rows(slots) {
  return slots
    .map((one, slot) => [slot, one])
    .filter(([, one]) => one.attempts)
    .map(([slot, one]) => {
      const level = one.counted ? `${Math.round(100 * share(one))} % (${one.in_time}/${one.counted})` : "–";
      const cells = [one.attempts, one.answered, one.abandoned, level].map((value) => make("td", "", String(value)));
      return make("tr", "", make("th", "", hour(slot)), ...cells);
    });
}

let drawn = "";

/** Draw the trend of `slots`, unless it stands there already. */
export function drawTrend(slots) {
  const now = JSON.stringify(slots);
  if (now === drawn) return;
  drawn = now;
  element("trend-picture").replaceChildren(picture(slots));
  document.querySelector("#trend tbody").replaceChildren(...rows(slots));
}

/** Today's calls to telephones outside: agencies, doctors, services. */
export function drawLines(lines, names) {
  element("lines").hidden = !lines.length;
  document.querySelector("#lines tbody").replaceChildren(
    ...lines.map(([party, one]) => {
      const [kind, which = ""] = party.split(/:(.*)/s);
      const cells = [one.offers, one.taken, one.unanswered, one.refused].map((value) => make("td", "", String(value)));
      if (one.offers >= 3 && !one.taken) {
        cells[1].dataset.alarm = "warn";
        cells[1].title = t("Nobody takes the calls to this line");
      }
      return make("tr", "", make("th", "", `${names[kind] ?? kind} ${which}`.trim()), ...cells);
    }),
  );
}
