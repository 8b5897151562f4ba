// Progress bars of exports.

const section = document.querySelector("[data-notifications-url]");
const bars = section.querySelector("[data-progress-list]");
const announcements = new Map();

export const barsOf = (task) =>
  document.querySelectorAll(`[data-progress="${CSS.escape(task)}"]`);

export const hasBars = () => bars.childElementCount > 0;

const shownTasks = () => [...bars.children].map((bar) => bar.dataset.progress);

/** Announce each new state, and every tenth per cent: screen readers would otherwise never stop. */
function announceProgress({ task, title, text, label, value }) {
  const step = `${text}|${Math.floor(value / 10)}`;
  if (announcements.get(task) === step) return;
  announcements.set(task, step);
  section.querySelector("[data-announcement]").textContent = `${title}. ${text}: ${label}`;
}

function addBar(data) {
  const template = section.querySelector("[data-progress-template]");
  const bar = template.content.firstElementChild.cloneNode(true);
  bar.dataset.progress = data.task;
  bar.querySelector("[data-progress-title]").textContent = data.title;
  bar.querySelector("a").href = data.url;
  bars.append(bar);
}

export function showProgress(data) {
  if (!shownTasks().includes(data.task)) addBar(data);
  for (const bar of barsOf(data.task)) {
    const progress = bar.querySelector("progress");
    progress.value = Math.max(progress.value, data.value);
    bar.querySelector("[data-progress-state]").textContent = data.text;
    bar.querySelector("[data-progress-label]").textContent = data.label;
  }
  announceProgress(data);
}
