// The page's only polling loop. Other modules register what to request, and how often.

const MAX_INTERVAL = 60_000; // ms, after errors

const sources = [];
let timer;

/**
 * Call `request` now and then while the page is visible.
 *
 * `interval` returns the pause in ms; each error in a row doubles it. A `request` that resolves to
 * false is not called again. `delay` is the pause before the first call.
 */
export function register({ request, interval, delay = interval() }) {
  sources.push({ request, interval, failures: 0, dueAt: Date.now() + delay, isRunning: false });
  schedule();
}

/** Request everything at once: the page has become visible, or has changed something itself. */
export function pollNow() {
  for (const source of sources) source.dueAt = 0;
  schedule();
}

function schedule() {
  clearTimeout(timer);
  const waiting = sources.filter((source) => !source.isRunning);
  if (document.hidden || waiting.length === 0) return;
  const dueAt = Math.min(...waiting.map((source) => source.dueAt));
  timer = setTimeout(runDue, Math.max(0, dueAt - Date.now()));
}

function runDue() {
  for (const source of sources) {
    if (!source.isRunning && source.dueAt <= Date.now()) run(source);
  }
  schedule();
}

async function run(source) {
  source.isRunning = true;
  source.dueAt = Infinity;
  try {
    if ((await source.request()) === false) sources.splice(sources.indexOf(source), 1);
    source.failures = 0;
  } catch {
    source.failures += 1;
  }
  source.isRunning = false;
  const pause = Math.min(source.interval() * 2 ** source.failures, MAX_INTERVAL);
  // Keep an earlier time that `pollNow` has set meanwhile: this response may be older than it.
  source.dueAt = Math.min(source.dueAt, Date.now() + pause);
  schedule();
}

document.addEventListener("visibilitychange", pollNow);
