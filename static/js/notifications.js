// Polls for news: unread counts, progress bars of exports, and toasts.

const BUSY_INTERVAL = 1_000; // ms, while a progress bar is shown
const IDLE_INTERVAL = 10_000;
const MAX_INTERVAL = 60_000; // after errors
const MAX_STORED_VALUES = 50;

const section = document.querySelector("[data-notifications-url]");
const bars = section.querySelector("[data-progress-list]");
const toasts = document.querySelector("[data-toasts]");

/** Set of strings, kept in sessionStorage for as long as the tab is open. */
class StoredSet {
  constructor(key) {
    this.key = `microblog.${key}`;
  }

  read() {
    try {
      return JSON.parse(sessionStorage.getItem(this.key)) ?? [];
    } catch {
      return [];
    }
  }

  write(values) {
    try {
      sessionStorage.setItem(this.key, JSON.stringify(values.slice(-MAX_STORED_VALUES)));
    } catch {
      // Storage may be full or forbidden. At worst a toast is shown twice.
    }
  }

  has(value) {
    return this.read().includes(value);
  }

  add(value) {
    if (!this.has(value)) this.write([...this.read(), value]);
  }

  retain(predicate) {
    this.write(this.read().filter(predicate));
  }
}

const watchedTasks = new StoredSet("watched"); // tasks whose progress bar was shown in this tab
const shownToasts = new StoredSet("told");
const reloadedTasks = new StoredSet("reloaded"); // tasks whose end has reloaded a page
const openedAt = section.dataset.since;
// If this tab watches a task, ask also for what changed before this page was opened: the task may
// have ended between two pages.
let since = (watchedTasks.read().length > 0 && section.dataset.taskSince) || openedAt;
let isPolling = false;
let failures = 0;
let timer;

const barsOf = (task) => document.querySelectorAll(`[data-progress="${CSS.escape(task)}"]`);
const isBusy = () => bars.childElementCount > 0 || watchedTasks.read().length > 0;

// Progress bars

const announcements = new Map();

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

function showProgress(data) {
  if (!bars.querySelector(`[data-progress="${CSS.escape(data.task)}"]`)) addBar(data);
  for (const bar of barsOf(data.task)) {
    const progress = bar.querySelector("progress");
    progress.value = Math.max(progress.value, data.value);
    bar.querySelector("[data-progress-state]").textContent = data.text;
    bar.querySelector("[data-progress-label]").textContent = data.label;
  }
  watchedTasks.add(data.task);
  announceProgress(data);
}

// Toasts

function showToast({ level, title = "", text, url }) {
  const template = document.querySelector("[data-toast-template]");
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.classList.add(`toast-${level}`);
  toast.querySelector("[data-toast-title]").textContent = title && `${title}.`;
  toast.querySelector("[data-toast-text]").textContent = text;
  toast.querySelector("a").href = url;
  toast.querySelector("button").addEventListener("click", () => toast.remove());
  toasts.append(toast);
}

/** Whether the page shows the news already: in an alert, or because it is the page of the task. */
const isOnPage = (url) =>
  location.pathname === url || section.querySelector(`.alert a[href="${CSS.escape(url)}"]`);

function showToastOnce(notification) {
  const { name, read, updated_at: updatedAt, data } = notification;
  const key = `${name} ${updatedAt}`;
  const isRecent = Date.parse(updatedAt) > Date.parse(openedAt);
  const isNews = watchedTasks.has(data.task) || (isRecent && !read);
  if (!data.toast || !isNews || shownToasts.has(key)) return;
  shownToasts.add(key);
  if (!isOnPage(data.toast.url)) showToast(data.toast);
}

// Unread counts

function showUnreadCounts(unread) {
  for (const badge of document.querySelectorAll("[data-badge]")) {
    const count = unread[badge.dataset.badge] ?? 0;
    badge.hidden = count === 0;
    badge.querySelector("[data-count]").textContent = count > 99 ? "99+" : count;
  }
}

// End of a task

const hasUnsentText = () =>
  [...document.querySelectorAll("textarea, main input:not([type=hidden])")].some(
    (field) => field.value !== field.defaultValue,
  );

/** Remove the bars and show a toast. A page that shows the task is reloaded first. */
function endTask(notification) {
  const { task } = notification.data;
  const end = `${task} ${notification.updated_at}`; // an import ends once in each phase
  const isShown = document.querySelector(`[data-task="${CSS.escape(task)}"]`);
  if (isShown && !hasUnsentText() && !reloadedTasks.has(end)) {
    watchedTasks.add(task);
    reloadedTasks.add(end);
    location.reload();
    return;
  }
  barsOf(task).forEach((bar) => bar.remove());
  showToastOnce(notification);
}

// Polling

function receive(answer) {
  since = answer.since;
  showUnreadCounts(answer.unread);
  for (const notification of answer.notifications) {
    if (notification.data.active) showProgress(notification.data);
    else if (notification.data.task) endTask(notification);
    else showToastOnce(notification);
  }
  // A task that was replaced by a newer one sends no more notifications.
  watchedTasks.retain((task) => barsOf(task).length > 0);
}

/** Returns false once the user is signed out. */
async function requestNews() {
  const url = new URL(section.dataset.notificationsUrl, location.href);
  if (since) url.searchParams.set("since", since);
  const response = await fetch(url, {
    headers: { Accept: "application/json" },
    cache: "no-store",
    signal: AbortSignal.timeout(10_000),
  });
  if (response.status === 401 || response.status === 403) return false;
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  receive(await response.json());
  return true;
}

const interval = () =>
  Math.min((isBusy() ? BUSY_INTERVAL : IDLE_INTERVAL) * 2 ** failures, MAX_INTERVAL);

async function poll() {
  clearTimeout(timer);
  if (document.hidden || isPolling) return;
  isPolling = true;
  try {
    if (!(await requestNews())) return;
    failures = 0;
  } catch {
    failures += 1;
  } finally {
    isPolling = false;
  }
  timer = setTimeout(poll, interval());
}

for (const bar of document.querySelectorAll("[data-progress]")) {
  watchedTasks.add(bar.dataset.progress);
}
document.addEventListener("visibilitychange", poll);
document.addEventListener("microblog:read", poll); // this page has marked something as read
timer = setTimeout(poll, isBusy() ? BUSY_INTERVAL : IDLE_INTERVAL);
