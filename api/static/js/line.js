// The line page: state, counters, parcels, reasons, health and alarms of the newest frame.

import { SHAPES } from "./header.js";
import { onFrame } from "./live.js";
import "./mimic.js";
import { number, t } from "./words.js";

const GONE_ROWS = 24;
const statePriorities = JSON.parse(document.getElementById("state-priorities").textContent);
const at = (id) => document.getElementById(id);

/** Set a text only if it differs: an unchanged page costs nothing. */
function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function showState(frame) {
  at("state").dataset.priority = String(statePriorities[frame.state]);
  put(at("state-word"), t(`state.${frame.state}`));
  put(at("state-cause"), frame.cause === "NORMAL" ? "" : t(`cause.${frame.cause}`));
  put(at("inducted"), number(frame.inducted));
  put(at("released"), number(frame.released));
  put(at("held"), number(frame.held));
  put(at("late"), number(frame.decisions_late));
  at("late").toggleAttribute("data-abnormal", frame.decisions_late > 0);
  put(at("rate"), frame.rate_per_h === null ? "–" : number(frame.rate_per_h));
  put(at("speed"), ((frame.belt_running ? frame.belt_speed_mm_per_s : 0) / 1000).toFixed(2));
}

function showBelt(frame) {
  const notes = [];
  if (!frame.belt_running) notes.push(t("line.belt_stopped"));
  if (!frame.belt_permit) notes.push(t("line.belt_off"));
  if (!frame.infeed_permit) notes.push(t("line.infeed_off"));
  put(at("belt-note"), notes.join(" · "));
  for (const device of document.querySelectorAll(".device")) {
    // While the PLC is silent its devices are not bad but unknown: one cause, one alarm.
    const good = frame[device.dataset.health];
    const ofPlc = device.dataset.health === "plc_up";
    device.toggleAttribute("data-unknown", !good && ofPlc);
    device.toggleAttribute("data-bad", !good && !ofPlc);
    put(device.querySelector(".device-mark"), good ? "" : ofPlc ? "?" : SHAPES[2]);
  }
  for (const lane of frame.lanes) {
    const group = at(`lane-${lane.lane}`);
    if (!group) continue;
    group.dataset.state = lane.full || lane.jammed ? "bad" : "free";
    const known = lane.room_parcels >= 0;
    const room = known ? t("lane.room", { count: lane.room_parcels }) : t("lane.room_unknown");
    put(group.querySelector(".lane-room"), room);
    const flags = [lane.full ? t("lane.full") : "", lane.jammed ? t("lane.jammed") : ""];
    put(group.querySelector(".lane-flag"), flags.filter(Boolean).join(" "));
  }
}

/** @type {Map<number, HTMLTableRowElement>} */
const rows = new Map();

function newRow(parcel, line) {
  const row = make("tr", "", { "data-pass": String(parcel.pass_no) });
  const link = make("a", String(parcel.pass_no), {
    href: `/parcels/${encodeURIComponent(line)}/${parcel.pass_no}`,
  });
  const pass = make("td", "", { class: "n" });
  pass.append(link);
  const verdict = make("td");
  const badge = make("span", "", { class: "verdict" });
  badge.append(make("i", "", { "aria-hidden": "true" }), make("b"));
  verdict.append(badge);
  row.append(pass, make("td"), make("td", "", { class: "n" }), verdict, make("td"));
  return row;
}

function fillRow(row, parcel) {
  const [, waybill, position, verdict, reasons] = row.cells;
  put(waybill, parcel.waybill);
  put(position, (parcel.position_mm / 1000).toFixed(1));
  const to = parcel.destination ?? "NONE";
  const badge = verdict.firstElementChild;
  badge.dataset.to = to;
  put(badge.firstElementChild, t(`mark.${to}`));
  put(badge.lastElementChild, t(`destination.${to}`));
  const words = parcel.reasons.map((reason) => t(`reason.${reason}`));
  put(reasons, words.length ? words.join(t("line.comma")) : t(`parcel_state.${parcel.state}`));
}

function showParcels(frame) {
  const ordered = [...frame.parcels].sort((a, b) => b.position_mm - a.position_mm);
  const left = new Set(rows.keys());
  for (const parcel of ordered) {
    left.delete(parcel.pass_no);
    let row = rows.get(parcel.pass_no);
    if (!row) rows.set(parcel.pass_no, (row = newRow(parcel, frame.line)));
    fillRow(row, parcel);
  }
  for (const passNo of left) {
    const row = rows.get(passNo);
    rows.delete(passNo);
    put(row.cells[2], t("line.gone"));
    if (row.cells[3].firstElementChild.dataset.to === "RELEASE") put(row.cells[4], "");
    at("gone").querySelector(`[data-pass="${passNo}"]`)?.remove();
    at("gone").prepend(row);
  }
  while (at("gone").rows.length > GONE_ROWS) at("gone").lastElementChild.remove();
  const body = at("rows");
  ordered.forEach((parcel, index) => {
    const row = rows.get(parcel.pass_no);
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    at("gone").querySelector(`[data-pass="${parcel.pass_no}"]`)?.remove();
  });
}

let reasonsShown = "";
function showReasons(frame) {
  const wanted = JSON.stringify(frame.by_reason);
  if (wanted === reasonsShown) return;
  reasonsShown = wanted;
  const items = Object.entries(frame.by_reason).map(([reason, count]) => {
    const row = make("tr");
    const name = make("td");
    name.append(make("a", t(`reason.${reason}`), { href: `/parcels?reason=${reason}` }));
    row.append(name, make("td", number(count), { class: "n" }));
    return row;
  });
  if (!items.length) {
    const row = make("tr");
    row.append(make("td", t("line.no_reason"), { class: "empty" }));
    items.push(row);
  }
  at("by-reason").replaceChildren(...items);
}

let healthShown = "";
function showHealth(frame) {
  const good = t("health.good");
  const permit = (given) => (given ? t("health.given") : t("health.withheld"));
  const states = [
    [t("health.plc"), frame.plc_up ? 0 : 1, frame.plc_up ? good : t(`fault.${frame.plc_fault ?? "SILENT"}`)],
    [t("health.vision"), frame.vision_up ? 0 : 2, frame.vision_up ? good : t("health.vision_bad")],
    [t("health.journal"), frame.journal_ok ? 0 : 1, frame.journal_ok ? good : t("health.journal_bad")],
    [t("health.lists"), frame.lists_ok ? 0 : 2, frame.lists_ok ? good : t("health.lists_bad")],
    [t("health.infeed"), frame.infeed_permit ? 0 : 3, permit(frame.infeed_permit)],
    [t("health.belt"), frame.belt_permit ? 0 : 3, permit(frame.belt_permit)],
  ];
  const wanted = JSON.stringify(states);
  if (wanted === healthShown) return;
  healthShown = wanted;
  at("health").replaceChildren(
    ...states.map(([name, priority, text]) => {
      const item = make("li", "", { "data-priority": String(priority) });
      item.append(make("b", name), make("span", priority ? `${SHAPES[priority]} ${text}` : text));
      return item;
    }),
  );
}

function where(alarm) {
  if (alarm.pass_no) return t("line.alarm_parcel", { number: alarm.pass_no });
  return alarm.subject ? t("line.alarm_subject", { number: alarm.subject }) : "";
}

function since(seconds) {
  if (seconds < 120) return t("line.since", { seconds });
  return t("line.since_min", { minutes: Math.floor(seconds / 60) });
}

let alarmsShown = "";
function showAlarms(frame) {
  const wanted = JSON.stringify(frame.alarms);
  if (wanted === alarmsShown) return;
  alarmsShown = wanted;
  const first = at("first-alarm");
  const [worst, ...others] = frame.alarms;
  first.dataset.priority = worst ? String(worst.priority) : "0";
  put(first.children[0], worst ? SHAPES[worst.priority] : "");
  const title = worst ? [t(`alarm.${worst.kind}`), where(worst)].filter(Boolean).join(" · ") : "";
  put(first.children[1], title || t("line.no_alarm"));
  const more = others.length ? t("line.more_alarms", { count: others.length }) : "";
  put(first.children[2], worst ? t(`alarm_do.${worst.kind}`) : "");
  put(first.children[3], more);
  at("alarms").replaceChildren(
    ...frame.alarms.map((alarm) => {
      const item = make("li");
      const badge = make("span", `${SHAPES[alarm.priority]}${alarm.priority}`, {
        class: "badge",
        "data-priority": String(alarm.priority),
      });
      const name = make("b", [t(`alarm.${alarm.kind}`), where(alarm)].filter(Boolean).join(" · "));
      item.append(badge, name, make("span", since(alarm.since_s), { class: "n" }));
      item.append(make("p", t(`alarm_do.${alarm.kind}`)));
      return item;
    }),
  );
  if (!frame.alarms.length) at("alarms").append(make("li", t("line.no_alarm"), { class: "empty" }));
}

onFrame((frame) => {
  showState(frame);
  showBelt(frame);
  showParcels(frame);
  showReasons(frame);
  showHealth(frame);
  showAlarms(frame);
});
