// Asks the site what is new: counts what is unread, moves the progress bars, and says how an export ended.

const BUSY = 1_000; // ms between two questions while a bar is shown
const IDLE = 10_000;
const LONGEST = 60_000; // after errors

const section = document.querySelector("[data-notifications-url]");
const bars = section.querySelector("[data-bars]");
const toasts = document.querySelector("[data-toasts]");

/** A set of strings that outlives the page, for as long as the tab. */
class Remembered {
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
      sessionStorage.setItem(this.key, JSON.stringify(values.slice(-50)));
    } catch {
      // Storage may be full or forbidden: a message is then shown twice at worst.
    }
  }

  has(value) {
    return this.read().includes(value);
  }

  add(value) {
    if (!this.has(value)) this.write([...this.read(), value]);
  }

  keep(wanted) {
    this.write(this.read().filter(wanted));
  }
}

const watched = new Remembered("watched"); // tasks whose bar was seen in this tab
const told = new Remembered("told"); // toasts that were shown
const reloaded = new Remembered("reloaded"); // tasks at whose end a page was loaded anew
const openedAt = section.dataset.since;
// The end of an export that this tab has seen begin is told even where it came before the page.
let since = (watched.read().length > 0 && section.dataset.taskSince) || openedAt;
let isAsking = false;
let failures = 0;
let timer;

const barsOf = (task) => document.querySelectorAll(`[data-bar="${CSS.escape(task)}"]`);
const isBusy = () => bars.childElementCount > 0 || watched.read().length > 0;

// Bars

const announced = new Map();

/** Say a change of state at once, and progress every tenth: a voice each second would be noise. */
function announce({ task, title, text, label, value }) {
  const words = `${text}|${Math.floor(value / 10)}`;
  if (announced.get(task) === words) return;
  announced.set(task, words);
  section.querySelector("[data-announcement]").textContent = `${title}. ${text}: ${label}`;
}

function addBar(data) {
  const bar = section.querySelector("[data-bar-template]").content.firstElementChild.cloneNode(true);
  bar.dataset.bar = data.task;
  bar.querySelector("[data-bar-title]").textContent = data.title;
  bar.querySelector("a").href = data.url;
  bars.append(bar);
}

function showProgress(data) {
  if (!bars.querySelector(`[data-bar="${CSS.escape(data.task)}"]`)) addBar(data);
  for (const bar of barsOf(data.task)) {
    const progress = bar.querySelector("progress");
    progress.value = Math.max(progress.value, data.value);
    bar.querySelector("[data-bar-text]").textContent = data.text;
    bar.querySelector("[data-bar-label]").textContent = data.label;
  }
  watched.add(data.task);
  announce(data);
}

// Toasts

function showToast({ level, title = "", text, url }) {
  const toast = document.querySelector("[data-toast-template]").content.firstElementChild.cloneNode(true);
  toast.classList.add(`toast-${level}`);
  toast.querySelector("[data-toast-title]").textContent = title && `${title}.`;
  toast.querySelector("[data-toast-text]").textContent = text;
  toast.querySelector("a").href = url;
  toast.querySelector("button").addEventListener("click", () => toast.remove());
  toasts.append(toast);
}

/** Whether the page says it already: its own alert, or the page of that very export. */
const isOnPage = (url) => location.pathname === url || section.querySelector(`.alert a[href="${CSS.escape(url)}"]`);

function tell(notification) {
  const { name, read, updated_at: updatedAt, data } = notification;
  const key = `${name} ${updatedAt}`;
  const isRecent = Date.parse(updatedAt) > Date.parse(openedAt);
  const isNews = watched.has(data.task) || (isRecent && !read);
  if (!data.toast || !isNews || told.has(key)) return;
  told.add(key);
  if (!isOnPage(data.toast.url)) showToast(data.toast);
}

// Badges

function showUnread(unread) {
  for (const badge of document.querySelectorAll("[data-badge]")) {
    const count = unread[badge.dataset.badge] ?? 0;
    badge.hidden = count === 0;
    badge.querySelector("[data-count]").textContent = count > 99 ? "99+" : count;
  }
}

// The end of a task

const isTyping = () =>
  [...document.querySelectorAll("textarea, main input:not([type=hidden])")].some(
    (field) => field.value !== field.defaultValue,
  );

/** Take the bars away, or load a page anew that shows the task itself; the toast then comes after that. */
function end(notification) {
  const { task } = notification.data;
  const isShown = document.querySelector(`[data-task="${CSS.escape(task)}"]`);
  if (isShown && !isTyping() && !reloaded.has(task)) {
    watched.add(task);
    reloaded.add(task);
    location.reload();
    return;
  }
  barsOf(task).forEach((bar) => bar.remove());
  tell(notification);
}

// Asking

function receive(answer) {
  since = answer.since;
  showUnread(answer.unread);
  const isActive = ({ data }) => data.active;
  for (const notification of answer.notifications) {
    if (isActive(notification)) showProgress(notification.data);
    else if (notification.data.task) end(notification);
    else tell(notification);
  }
  // A task that was replaced by a newer one is heard of no more.
  watched.keep((task) => barsOf(task).length > 0);
}

async function ask() {
  const url = new URL(section.dataset.notificationsUrl, location.href);
  if (since) url.searchParams.set("since", since);
  const response = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store", signal: AbortSignal.timeout(10_000) });
  if (response.status === 401 || response.status === 403) return false;
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  receive(await response.json());
  return true;
}

const pause = () => Math.min((isBusy() ? BUSY : IDLE) * 2 ** failures, LONGEST);

async function poll() {
  clearTimeout(timer);
  if (document.hidden || isAsking) return;
  isAsking = true;
  try {
    if (!(await ask())) return;
    failures = 0;
  } catch {
    failures += 1;
  } finally {
    isAsking = false;
  }
  timer = setTimeout(poll, pause());
}

for (const bar of bars.children) watched.add(bar.dataset.bar);
document.addEventListener("visibilitychange", poll);
document.addEventListener("microblog:read", poll); // what was counted as unread was read on this page
timer = setTimeout(poll, isBusy() ? BUSY : IDLE);
