// The line's frames as they come, and how old they are. A page subscribes; nothing here draws.

import { listen } from "./stream.js";

/** After this long without a new frame the page is stale. */
export const STALE_MS = 1500;

/** @typedef {{age_ms: number, line: string, [key: string]: any}} Frame */

const line = document.body.dataset.line;
/** @type {Set<(frame: Frame) => void>} */
const listeners = new Set();
/** @type {Frame | null} */
let newest = null;
let frameBornAt = -Infinity; // performance.now() at the frame's own instant
let serverHeardAt = performance.now();

function take(kind, data, waitedMs) {
  const message = JSON.parse(data);
  serverHeardAt = performance.now() - waitedMs;
  if (kind === "age") return;
  frameBornAt = serverHeardAt - message.age_ms;
  newest = message;
  for (const listener of listeners) listener(message);
}

/** Call `listener` with every frame from now on, and with the newest at once.
 * @param {(frame: Frame) => void} listener */
export function onFrame(listener) {
  listeners.add(listener);
  if (newest) listener(newest);
}

/** How old the newest frame is now, in ms; Infinity before the first. */
export function frameAge() {
  return performance.now() - frameBornAt;
}

/** How long the server has been silent, in ms. */
export function serverSilence() {
  return performance.now() - serverHeardAt;
}

function alone() {
  listen(line, (kind, data) => take(kind, data, 0));
}

function shared() {
  const address = `${document.body.dataset.worker}?line=${encodeURIComponent(line)}`;
  const worker = new SharedWorker(address, { name: `line ${line}`, type: "module" });
  worker.port.addEventListener("message", (event) => {
    const { kind, data, at } = event.data;
    take(kind, data, Math.max(0, Date.now() - at));
  });
  worker.port.start();
  worker.addEventListener("error", alone, { once: true }); // no module workers in this browser
  window.addEventListener("pagehide", () => worker.port.postMessage("bye"));
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
}

if ("SharedWorker" in window) shared();
else alone();
