// The day so far by half-hours, drawn when it changes: bars of calls, a line of the service level.

import { element, make, t } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const DESK = { width: 760, height: 200, left: 44, right: 40, bottom: 22, top: 8, everySlots: 4 };

function shape(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.append(text);
  return made;
}

const hour = (slot) => `${String(Math.floor(slot / 2)).padStart(2, "0")}:${slot % 2 ? "30" : "00"}`;
const share = ({ in_time: inTime, counted }) => (counted ? inTime / counted : null);

/** The frame for a television: as large as its place, with letters as large as those around it. */
function wall(box) {
  const letter = parseFloat(getComputedStyle(box).fontSize);
  return {
    width: box.clientWidth, height: box.clientHeight, left: 3 * letter, right: 3 * letter, bottom: 1.3 * letter, top: letter / 2,
    everySlots: 8,
  };
}

function picture(slots, { width, height, left, right, bottom, top, everySlots }) {
  const most = Math.max(2, ...slots.map((one) => one.attempts));
  const high = height - bottom - top;
  const step = (width - left - right) / 48;
  const y = (part) => height - bottom - part * high;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.setAttribute("aria-label", t("The day by half-hours. The table below has the same numbers."));
  for (const part of [0, 0.5, 1]) {
    svg.append(
      shape("line", { x1: left, x2: width - right, y1: y(part), y2: y(part) }),
      shape("text", { x: left - 6, y: y(part), dy: "0.35em", "text-anchor": "end" }, String(Math.round(most * part))),
      shape("text", { x: width - right + 4, y: y(part), dy: "0.35em" }, `${part * 100}%`),
    );
  }
  slots.forEach((one, slot) => {
    let bar = height - bottom;
    [one.answered, one.abandoned, one.attempts - one.answered - one.abandoned].forEach((part, series) => {
      const tall = (part / most) * high;
      bar -= tall;
      if (part) svg.append(shape("rect", { class: `series-${series}`, x: left + slot * step + 1, y: bar, width: step - 2, height: tall }));
    });
  });
  for (let slot = 0; slot < 48; slot += everySlots)
    svg.append(shape("text", { x: left + slot * step, y: height - 6 }, hour(slot)));
  const points = slots.map((one, slot) => [slot, share(one)]).filter(([, value]) => value !== null);
  svg.append(shape("polyline", {
    class: "line", points: points.map(([slot, value]) => `${left + (slot + 0.5) * step},${y(value)}`).join(" "),
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

/** Draw the trend of `slots`, unless it stands there already; `large`: for a television. */
export function drawTrend(slots, large) {
  const box = element("trend-picture");
  const frame = large ? wall(box) : DESK;
  const now = JSON.stringify([slots, frame]);
  if (now === drawn) return;
  drawn = now;
  box.replaceChildren(picture(slots, frame));
  document.querySelector("#trend tbody").replaceChildren(...rows(slots));
}

/** Whose a line is: "Sở Y tế (02373852246)", "Doctor Lê Văn An (bs.an)", or "Number 0237…". */
function lineName(party, whose, names) {
  const [kind, which = ""] = party.split(/:(.*)/s);
  if (kind === "service" && names.services[which]) return names.services[which];
  const owner = (kind === "line" && names.help_lines[which]) || whose;
  const role = kind === "line" && owner ? "" : names.kinds[kind] ?? kind;
  return `${role} ${owner ? `${owner} (${which})` : which}`.trim();
}

/** Today's calls to telephones outside: agencies, doctors, services. */
export function drawLines(lines, names) {
  element("lines").hidden = !lines.length;
  const named = lines.map(([party, one]) => [lineName(party, one.whose, names), one]);
  document.querySelector("#lines tbody").replaceChildren(
    ...named.sort(([a], [b]) => a.localeCompare(b)).map(([name, one]) => {
      const cells = [one.offers, one.taken, one.unanswered, one.refused].map((value) => make("td", "", String(value)));
      if (one.offers >= 3 && !one.taken) {
        cells[1].dataset.alarm = "warn";
        cells[1].title = t("Nobody takes the calls to this line");
      }
      return make("tr", "", make("th", "", name), ...cells);
    }),
  );
}
