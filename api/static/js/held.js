// Held parcels: arrow keys walk the queue, the detail is fetched, the queue follows the line.

import { onFrame } from "./live.js";
import { t } from "./words.js";

const panel = document.getElementById("queue-panel");
const detail = document.getElementById("detail");
const REFRESH_MS = 1000;
let fetching = new AbortController();

const links = () => [...panel.querySelectorAll("#queue a")];
const chosen = () => panel.querySelector('#queue a[aria-current="true"]');

async function text(address, signal) {
  const answer = await fetch(address, { signal });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.text();
}

async function choose(link) {
  chosen()?.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  link.scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", link.href);
  fetching.abort();
  fetching = new AbortController();
  try {
    detail.innerHTML = await text(link.dataset.fragment, fetching.signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    const failed = document.createElement("p");
    failed.className = "panel problem";
    failed.textContent = t("held.failed", { why: error.message });
    detail.replaceChildren(failed);
  }
}

panel.addEventListener("click", (event) => {
  const link = event.target.closest("#queue a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  choose(link);
});

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!step || event.target.closest("input, select, textarea")) return;
  const all = links();
  const next = all[all.indexOf(chosen()) + step];
  if (!next) return;
  event.preventDefault();
  choose(next);
});

// The records follow the line within half a second; asking once a second while something changes.
let seen = -1;
let dirty = 0; // how many more times to ask: the records come a moment after the frame
onFrame((frame) => {
  if (seen !== -1 && frame.held !== seen) dirty = 2;
  seen = frame.held;
});

async function refresh() {
  if (dirty && !document.hidden) {
    dirty -= 1;
    const now = chosen();
    const query = now ? new URL(now.href).search : "";
    const top = document.getElementById("queue").scrollTop;
    try {
      panel.innerHTML = await text(`/held/queue${query}`);
      document.getElementById("queue").scrollTop = top;
      if (!now && links().length) choose(links()[0]);
    } catch {
      dirty = 2; // the server is away: the banner says so, and this is tried again
    }
  }
  setTimeout(refresh, REFRESH_MS);
}
refresh();
