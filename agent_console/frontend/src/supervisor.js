// The live board: everything comes from the feed, times tick here.

import { connectAlarms, drawAlarms } from "./alarms.js";
import { documents, follow } from "./feed.js";
import { drawInForce } from "./in-force.js";
import { drawReaders, drawShifts } from "./instructions.js";
import { clock, element, everySecond, given, make, since, t } from "./page.js";
import { pauseLeft } from "./pauses.js";
import { connectSkills } from "./skills.js";
import { Supervision } from "./supervision.js";
import { drawLines, drawTrend } from "./trend.js";
import { drawUnreached, soundUnreached } from "./unreached.js";

// For a television on the wall: what is read from far away, alone and large.
const tv = new URLSearchParams(location.search).has("tv");
document.body.classList.toggle("tv", tv);
const supervision = new Supervision();
connectAlarms((agent, how) => (how === "take" ? supervision.takeOver(agent) : supervision.listen(agent, how)));
soundUnreached(() => supervision.inCall);
connectSkills();

const WAIT_ALARM = 3; // times the agreed seconds
const ON_THE_WALL = 6; // branches
const ENOUGH = 20; // calls, to judge the service level
const OWED_PER_AGENT = 5; // calls back for each agent who is ready
const MOST_PAUSED = 1 / 3; // of those who are signed in
const BUSY = ["ready", "paused", "ringing", "talking", "wrapup", "unreachable"];

const kind = (name) =>
  [...documents].filter(([key]) => key.startsWith(`${name}:`)).map(([, value]) => value);
/** A seat or desk phone by its name, a telephone outside by its last digits. */
const phoneOf = ({ interface: phone }) =>
  phone?.startsWith("Local/") ? t("mobile …{digits}", { digits: phone.slice(6).split("@")[0].slice(-3) }) : (phone ?? "").replace("PJSIP/", "");

const agents = () => kind("agent").filter((agent) => agent.state !== "offline");
const ready = (queue) =>
  agents().filter((agent) => agent.state === "ready" && agent.queues.includes(queue)).length;

/** A cell that can alarm: colour, sign and title, never colour alone. */
function alarm(cell, level, why = "") {
  cell.dataset.alarm = level;
  cell.title = why;
  return cell;
}

function waitLevel(milliseconds) {
  const agreed = given.service_level_s * 1000;
  if (milliseconds > agreed * WAIT_ALARM) return "alarm";
  return milliseconds > agreed ? "warn" : "";
}

/** A share with both its numbers: never one without the others. */
const shareText = (over, of) => (of ? `${Math.round((100 * over) / of)} % (${over}/${of})` : "–");

function branchRow(id, name) {
  const live = documents.get(`branch:${id}`) ?? { waiting: 0, oldest: null, talking: 0 };
  const day = documents.get(`today:${id}`);
  const free = ready(given.queue_of[id]);
  const wait = live.oldest ? since(live.oldest) : 0;
  const row = make("tr", live.waiting || live.talking ? "" : "calm");
  row.dataset.branch = id;
  const waiting = make("td", "strong", String(live.waiting));
  const longest = alarm(make("td", "", live.oldest ? clock(wait) : "–"), waitLevel(wait), t("Longer than agreed"));
  const agentsCell = make("td", "", String(free));
  if (live.waiting && !free) alarm(agentsCell, "alarm", t("Callers wait and nobody is ready"));
  row.append(make("th", "", name), waiting, longest, make("td", "", String(live.talking)), agentsCell, ...dayCells(day));
  waiting.dataset.figure = "waiting";
  return row;
}

function dayCells(day) {
  if (!day) return Array.from({ length: 6 }, () => make("td", "", "–"));
  const level = make("td", "strong", shareText(day.in_time, day.counted));
  level.dataset.figure = "level";
  return [
    ...["attempts", "answered", "abandoned", "left_menu", "voicemail"].map((name) => {
      const cell = make("td", "", String(day[name]));
      cell.dataset.figure = name;
      return cell;
    }),
    level,
  ];
}

function sumOfToday() {
  const sum = { attempts: 0, answered: 0, abandoned: 0, left_menu: 0, voicemail: 0, in_time: 0, counted: 0, reached: 0 };
  for (const day of kind("today")) for (const name of Object.keys(sum)) sum[name] += day[name];
  return sum;
}

function drawBranches() {
  let rows = given.shown.map((id) => branchRow(id, given.branches[id]));
  if (tv) rows = onTheWall(rows);
  const none = documents.get("today:none");
  if (none) {
    const row = make("tr", "calm", make("th", "", t("No branch chosen")), ...Array.from({ length: 4 }, () => make("td", "", "–")), ...dayCells(none));
    row.dataset.branch = "none";
    rows.push(row);
  }
  document.querySelector("#branches tbody").replaceChildren(...rows);
  const live = kind("branch");
  const sum = make(
    "tr", "", make("th", "", t("All")),
    make("td", "strong", String(live.reduce((n, one) => n + one.waiting, 0))), make("td", "", ""),
    make("td", "", String(live.reduce((n, one) => n + one.talking, 0))),
    make("td", "", String(agents().filter((one) => one.state === "ready").length)),
    ...dayCells(sumOfToday()),
  );
  document.querySelector("#branches tfoot").replaceChildren(sum);
}

/** The branches that somebody waits in, emergencies and the longest wait first, or speaks in: as many as there is room for. */
function onTheWall(rows) {
  const live = ({ dataset: { branch } }) => documents.get(`branch:${branch}`) ?? { waiting: 0 };
  const first = (row) => (row.dataset.branch === "emergency" ? -Infinity : live(row).oldest ? -since(live(row).oldest) : 1);
  const busy = rows.filter((row) => !row.classList.contains("calm")).sort((a, b) => first(a) - first(b));
  const more = busy.splice(ON_THE_WALL);
  if (more.length) {
    const cell = make("th", "", t("and {number} more", { number: more.length }));
    cell.colSpan = 11;
    busy.push(make("tr", "", cell));
  }
  return busy;
}

const RECORDING = () => ({
  on: "● " + t("Is recorded"), paused: "❚❚ " + t("Recording paused"), discarded: "✕ " + t("Recording discarded"),
  refused: "○ " + t("Recording refused"), off: "○ " + t("Is not recorded any more"),
});

function callText(call) {
  const parts = [given.branches[call.branch] ?? "", call.caller ?? t("Number withheld")];
  if (call.state === "talking") parts.push(RECORDING()[call.recording] ?? "");
  return parts.filter(Boolean).join(" · ");
}

/** Somebody rests too long, too many of those who are signed in rest at once, or have no telephone. */
function stateLevel(state, number) {
  if (state === "paused" && agents().some((one) => one.state === state && (pauseLeft(one) ?? 0) < 0)) return ["alarm", t("The pause is longer than agreed")];
  if (state === "unreachable") return ["alarm", t("The phone is not connected")];
  if (state === "paused" && number > agents().length * MOST_PAUSED) return ["warn", t("More than a third of the agents are on a pause")];
  return [""];
}

function drawAgents() {
  const order = (agent) => BUSY.indexOf(agent.state);
  const rows = agents()
    .sort((a, b) => order(a) - order(b) || a.login.localeCompare(b.login))
    .map((agent) => {
      const call = documents.get(`call:${agent.call}`);
      const state = make("td", "", make("span", `state state-${agent.state}`, given.states[agent.state]));
      if (agent.reason) state.append(` ${given.reasons[agent.reason] ?? agent.reason}`);
      const time = make("td", "number", clock(since(agent.since)));
      const left = pauseLeft(agent);
      if (left !== null && left < 0) {
        alarm(state, "alarm", t("The pause is longer than agreed"));
        state.append(" ", t("too long by {time}", { time: clock(-left) }));
      }
      if (agent.state === "unreachable") alarm(state, "alarm", t("The phone is not connected"));
      const row = make(
        "tr", "", make("td", "", make("b", "", given.names[agent.login] ?? agent.login), ` ${agent.login}`),
        state, time,
        make("td", "", call ? callText(call) : ""),
        make("td", "", agent.queues.map((queue) => given.queues[queue] ?? queue).join(", ")),
        make("td", "", phoneOf(agent)),
        supervision.cell(agent),
      );
      row.dataset.agent = agent.login;
      row.dataset.state = agent.state;
      return row;
    });
  if (!rows.length) {
    const cell = make("td", "empty", t("No agent is in the queues."));
    cell.colSpan = 7;
    rows.push(make("tr", "", cell));
  }
  const held = document.activeElement?.closest("#agents button")?.dataset;
  document.querySelector("#agents tbody").replaceChildren(...rows);
  if (held) document.querySelector(`#agents button[data-act="${held.act}"][data-agent="${held.agent}"]`)?.focus();
  element("agent-counts").replaceChildren(
    ...BUSY.map((state) => [state, agents().filter((one) => one.state === state).length])
      .filter(([, number]) => number)
      .map(([state, number]) => alarm(make("span", `state state-${state}`, `${given.states[state]} ${number}`), ...stateLevel(state, number))),
  );
}

function figure(name, text, level = "") {
  const box = element(`figure-${name}`);
  const [value, numbers = ""] = text.split(/ (?=\()/);
  box.firstElementChild.replaceChildren(value, ...(numbers ? [" ", make("small", "", numbers)] : []));
  box.dataset.alarm = level;
}

function drawFigures() {
  const live = kind("branch");
  const waits = live.filter((one) => one.oldest).map((one) => since(one.oldest));
  const waiting = live.reduce((n, one) => n + one.waiting, 0);
  const free = agents().filter((one) => one.state === "ready").length;
  const longest = Math.max(0, ...waits);
  figure("waiting", String(waiting), waiting && !free ? "alarm" : "");
  figure("longest", waits.length ? clock(longest) : "–", waitLevel(longest));
  figure("talking", String(live.reduce((n, one) => n + one.talking, 0)));
  figure("menus", String(documents.get("menus")?.calls ?? 0));
  figure("ready", String(free), waiting && !free ? "alarm" : "");
  const today = sumOfToday();
  figure("level", shareText(today.in_time, today.counted), levelAlarm(today));
  figure("reached", shareText(today.reached, today.attempts));
  for (const name of ["attempts", "answered", "abandoned"]) figure(name, String(today[name]));
  const owed = documents.get("owed")?.callbacks ?? 0;
  figure("owed", String(owed), owed > free * OWED_PER_AGENT ? "warn" : "");
}

/** Below the agreed share, once enough were counted to say so. */
function levelAlarm({ in_time: inTime, counted }) {
  if (counted < ENOUGH) return "";
  const share = (100 * inTime) / counted;
  return share < given.service_level_percent / 2 ? "alarm" : share < given.service_level_percent ? "warn" : "";
}

function draw() {
  supervision.draw();
  drawFigures();
  drawBranches();
  drawAgents();
  drawTrend(documents.get("trend")?.slots ?? [], tv);
  const lines = [...documents].filter(([key]) => key.startsWith("line:")).map(([key, one]) => [key.slice(5), one]);
  drawLines(lines.filter(([, one]) => one.offers), given.lines);
}

const THEME = "hotline.dark";
const systemsTheme = matchMedia("(prefers-color-scheme: dark)");
/** The board's own, where somebody chose one; else that of the system. */
function showTheme() {
  const chosen = localStorage.getItem(THEME);
  if (chosen) document.documentElement.dataset.theme = chosen;
}
element("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme ?? (systemsTheme.matches ? "dark" : "light");
  localStorage.setItem(THEME, now === "dark" ? "light" : "dark");
  showTheme();
});
showTheme();
follow((keys) => {
  drawUnreached(keys);
  drawAlarms(keys);
  drawReaders(keys, given.names);
  drawShifts(keys);
  drawInForce(keys);
  draw();
});
everySecond(draw);
