// Keeps the cells of tasks up to date, by polling for the rows that are visible.

import { register } from "./polling.js";

const INTERVAL = 2_000; // ms

const source = document.querySelector("[data-live-url]");
const newerLink = document.querySelector("[data-newer]");
const rows = new Map(); // from task id to the element that holds its cells
const visible = new Set();

for (const marker of document.querySelectorAll("[data-task]")) {
  rows.set(marker.dataset.task, marker.closest("tr") ?? marker);
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const task = (target.querySelector("[data-task]") ?? target).dataset.task;
    if (isIntersecting) visible.add(task);
    else visible.delete(task);
  }
});
rows.forEach((row) => observer.observe(row));

function updateRow(row, cells) {
  for (const cell of row.querySelectorAll("[data-live]")) {
    const content = cells[cell.dataset.live];
    if (cell.dataset.live !== "value") {
      if (cell.textContent !== content) cell.textContent = content;
      continue;
    }
    cell.hidden = content === null;
    cell.value = content ?? 0;
  }
}

// Returns false once polling is useless: signed out, or the permission was withdrawn.
async function fetchCells() {
  const url = new URL(source.dataset.liveUrl, location.href);
  for (const task of visible) url.searchParams.append("task", task);
  const response = await fetch(url, {
    headers: { Accept: "application/json", "X-Poll": "true" },
    cache: "no-store",
    signal: AbortSignal.timeout(10_000),
  });
  if (response.redirected || response.status === 403) return false;
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const { newest, tasks } = await response.json();
  for (const [task, cells] of Object.entries(tasks)) updateRow(rows.get(task), cells);
  if (newerLink && newest && newest !== source.dataset.newest) newerLink.hidden = false;
  return true;
}

register({ request: fetchCells, interval: () => INTERVAL });
