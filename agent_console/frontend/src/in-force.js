// On the board: limits of queues that hold for a while, and the incidents that callers hear of.

import { documents } from "./feed.js";
import { element, given, make, t } from "./page.js";

const time = (at) => new Date(at).toLocaleString(document.documentElement.lang, {
  timeZone: "Asia/Ho_Chi_Minh", day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit",
});

/** Draw them anew if they are among what changed. */
export function drawInForce(changed) {
  if (!changed.has("in_force")) return;
  const { limits, incidents } = documents.get("in_force") ?? { limits: [], incidents: [] };
  element("in-force-list").replaceChildren(...incidents.map(incidentRow), ...limits.map(limitRow));
  element("in-force").hidden = !limits.length && !incidents.length;
}

function incidentRow(one) {
  const who = given.branches[one.branch] ?? t("All callers");
  const state = one.told
    ? make("span", "tag alarm", one.until ? t("told until {time}", { time: time(one.until) }) : t("told until somebody ends it"))
    : make("span", "tag warn", t("not told any more, and nobody has ended it"));
  const item = make("li", "", make("b", "", who), ` ${one.text} `, state);
  item.dataset.incident = one.code;
  return item;
}

function limitRow(one) {
  const where = one.queue === "line" ? t("All callers at once") : given.queues[one.queue] ?? one.queue;
  const words = t("at most {most}", { most: one.most });
  const item = make(
    "li", "", make("b", "", where), ` ${words} · ${one.reason} · ${one.by} `, make("span", "tag warn", t("until {time}", { time: time(one.until) })),
  );
  item.dataset.limit = one.queue;
  return item;
}
