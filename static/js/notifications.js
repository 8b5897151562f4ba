// Shows what is new: unread counts, progress of exports, and toasts.

import { register } from "./polling.js";
import { barsOf, hasBars, showProgress } from "./progress.js";
import { StoredSet } from "./stored-set.js";

const BUSY_INTERVAL = 1_000; // ms, while a progress bar is shown
const IDLE_INTERVAL = 10_000;

const section = document.querySelector("[data-notifications-url]");
const toasts = document.querySelector("[data-toasts]");
const watchedTasks = new StoredSet("watched"); // tasks whose progress bar was shown in this tab
const shownToasts = new StoredSet("told");
const reloadedTasks = new StoredSet("reloaded"); // tasks whose end has reloaded a page
const openedAt = section.dataset.since;
// If this tab watches a task, ask also for what changed before this page was opened: the task may
// have ended between two pages.
let since = (watchedTasks.read().length > 0 && section.dataset.taskSince) || openedAt;

// Toasts

function showToast({ level, title = "", text, url }) {
  const template = document.querySelector("[data-toast-template]");
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.classList.add(`site-toast-${level}`);
  toast.querySelector("[data-toast-title]").textContent = title && `${title}.`;
  toast.querySelector("[data-toast-text]").textContent = text;
  toast.querySelector("a").href = url;
  toast.querySelector("button").addEventListener("click", () => toast.remove());
  toasts.append(toast);
}

/** Return whether the page shows the change already: in an alert, or as the task's own page. */
const isOnPage = (url) =>
  location.pathname === url || section.querySelector(`.alert a[href="${CSS.escape(url)}"]`);

function showToastOnce(notification) {
  const { name, read, updated_at: updatedAt, data } = notification;
  const key = `${name} ${updatedAt}`;
  const isRecent = Date.parse(updatedAt) > Date.parse(openedAt);
  const isNew = watchedTasks.has(data.task) || (isRecent && !read);
  if (!data.toast || !isNew || shownToasts.has(key)) return;
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
    if (notification.data.active) {
      showProgress(notification.data);
      watchedTasks.add(notification.data.task);
    } else if (notification.data.task) endTask(notification);
    else showToastOnce(notification);
  }
  // A task that was replaced by a newer one sends no more notifications.
  watchedTasks.retain((task) => barsOf(task).length > 0);
}

/** Returns false once the user is signed out. */
async function request() {
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

const isBusy = () => hasBars() || watchedTasks.read().length > 0;

for (const bar of document.querySelectorAll("[data-progress]")) {
  watchedTasks.add(bar.dataset.progress);
}
register({ request, interval: () => (isBusy() ? BUSY_INTERVAL : IDLE_INTERVAL) });
