// Moves the parcels over the drawn belt: x = x0 + speed · (now - t0), extrapolated for 0.6 s at most.

import { frameAge, onFrame } from "./live.js";
import { t } from "./words.js";

const EXTRAPOLATE_MS = 600;
const SVG = "http://www.w3.org/2000/svg";
const UNKNOWN = new Set(["UNKNOWN_PARCEL", "EXTRA_PARCEL", "ZONE_OPENED", "PLC_RESTARTED"]);

const svg = document.getElementById("mimic");
const layer = document.getElementById("parcels");
const [x0, pxPerM, right, top, bottom] = ["x0", "pxPerM", "right", "top", "bottom"].map((name) =>
  Number(svg.dataset[name]),
);
/** @type {Map<number, {group: SVGGElement, box: SVGRectElement, mark: SVGTextElement, mm: number, px: number}>} */
const drawn = new Map();
let speed = 0;

function newParcel() {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", "parcel");
  const box = document.createElementNS(SVG, "rect");
  box.setAttribute("y", String(top + 7));
  box.setAttribute("height", String(bottom - top - 14));
  const mark = document.createElementNS(SVG, "text");
  mark.setAttribute("y", String((top + bottom) / 2 + 6));
  group.append(box, mark);
  layer.append(group);
  return { group, box, mark, mm: 0, px: 0 };
}

function update(frame) {
  speed = frame.belt_running ? frame.belt_speed_mm_per_s : 0;
  const gone = new Set(drawn.keys());
  for (const parcel of frame.parcels) {
    gone.delete(parcel.pass_no);
    let item = drawn.get(parcel.pass_no);
    if (!item) drawn.set(parcel.pass_no, (item = newParcel()));
    item.mm = parcel.position_mm;
    item.px = Math.max(16, ((parcel.length_mm > 0 ? parcel.length_mm : 200) * pxPerM) / 1000);
    item.box.setAttribute("width", item.px.toFixed(1));
    item.box.setAttribute("x", (-item.px).toFixed(1));
    item.mark.setAttribute("x", (-item.px / 2).toFixed(1));
    const to = parcel.destination ?? "NONE";
    item.group.dataset.to = to;
    item.group.toggleAttribute("data-unknown", parcel.reasons.some((reason) => UNKNOWN.has(reason)));
    item.mark.textContent = t(`mark.${to}`);
  }
  for (const passNo of gone) {
    drawn.get(passNo).group.remove();
    drawn.delete(passNo);
  }
}

function draw() {
  const ahead = (speed * Math.min(frameAge(), EXTRAPOLATE_MS)) / 1000;
  for (const item of drawn.values()) {
    const x = Math.min(right, x0 + ((item.mm + ahead) * pxPerM) / 1000);
    item.group.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
  }
  requestAnimationFrame(draw);
}

onFrame(update);
requestAnimationFrame(draw);
