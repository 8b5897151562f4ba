// Keeps what the page says of exports up to date: asks for those alone that are in sight.

const PAUSE = 2_000; // ms between two questions
const LONGEST = 60_000; // after errors

const source = document.querySelector("[data-live-url]");
const news = document.querySelector("[data-news]");
const rows = new Map(); // by export: the element that holds its cells
const inSight = new Set();
let failures = 0;
let timer;

for (const mark of document.querySelectorAll("[data-task]")) {
  rows.set(mark.dataset.task, mark.closest("tr") ?? mark);
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const task = (target.querySelector("[data-task]") ?? target).dataset.task;
    if (isIntersecting) inSight.add(task);
    else inSight.delete(task);
  }
});
rows.forEach((row) => observer.observe(row));

function show(row, cells) {
  for (const cell of row.querySelectorAll("[data-live]")) {
    const words = cells[cell.dataset.live];
    if (cell.dataset.live !== "value") {
      if (cell.textContent !== words) cell.textContent = words;
      continue;
    }
    cell.hidden = words === null;
    cell.value = words ?? 0;
  }
}

async function ask() {
  const url = new URL(source.dataset.liveUrl, location.href);
  for (const task of inSight) url.searchParams.append("task", task);
  const response = await fetch(url, { headers: { Accept: "application/json", "X-Poll": "true" }, cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (response.redirected || response.status === 403) return false;
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  const { newest, tasks } = await response.json();
  for (const [task, cells] of Object.entries(tasks)) show(rows.get(task), cells);
  if (news && newest && newest !== source.dataset.newest) news.hidden = false;
  return true;
}

async function poll() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    if (!(await ask())) return;
    failures = 0;
  } catch {
    failures += 1;
  }
  clearTimeout(timer);
  timer = setTimeout(poll, Math.min(PAUSE * 2 ** failures, LONGEST));
}

document.addEventListener("visibilitychange", poll);
timer = setTimeout(poll, PAUSE);
