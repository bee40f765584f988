// What every page shows of the line: live or stale, and how many alarms of each priority.

import { frameAge, onFrame, serverSilence, STALE_MS } from "./live.js";
import { t } from "./words.js";

export const SHAPES = { 1: "●", 2: "◆", 3: "▼" };

const live = document.getElementById("live");
const banner = document.getElementById("stale");
const badges = document.getElementById("badges");
const startedAt = performance.now();

function sentence(age) {
  const line = document.body.dataset.line;
  const silence = serverSilence();
  if (silence > STALE_MS) {
    return t("live.stale_server", { seconds: Math.floor(silence / 1000) });
  }
  if (age === Infinity) return t("live.stale_never", { line });
  return t("live.stale_line", { line, seconds: Math.floor(age / 1000) });
}

function look() {
  const age = frameAge();
  const waiting = age === Infinity && performance.now() - startedAt < STALE_MS;
  const stale = age > STALE_MS && !waiting;
  const state = waiting ? "wait" : stale ? "stale" : "ok";
  document.body.classList.toggle("is-stale", stale);
  if (live.dataset.state !== state) {
    live.dataset.state = state;
    live.querySelector("b").textContent =
      state === "ok" ? t("live.ok") : state === "stale" ? t("live.stale") : t("live.wait");
  }
  banner.hidden = !stale;
  const text = stale ? sentence(age) : "";
  if (banner.textContent !== text) banner.textContent = text;
}

let shown = "";
onFrame((frame) => {
  const counts = { 1: 0, 2: 0, 3: 0 };
  for (const alarm of frame.alarms) counts[alarm.priority] += 1;
  const wanted = JSON.stringify(counts);
  if (wanted !== shown) {
    shown = wanted;
    badges.replaceChildren(
      ...[1, 2, 3].filter((priority) => counts[priority]).map((priority) => {
        const badge = document.createElement("a");
        badge.className = "badge";
        badge.href = `/?line=${encodeURIComponent(frame.line)}`;
        badge.dataset.priority = String(priority);
        badge.textContent = `${SHAPES[priority]} ${counts[priority]}`;
        return badge;
      }),
    );
  }
  look();
});
setInterval(look, 250);
