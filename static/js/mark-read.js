// Marks all notifications as read once the page has been visible for a moment.

import { submitForm } from "./fragment.js";
import { pollNow } from "./polling.js";

const DELAY = 1_500; // ms

const form = document.querySelector("[data-mark-read]");

async function markRead() {
  if (!(await submitForm(form))) return;
  form.hidden = true;
  pollNow();
}

function scheduleWhenVisible() {
  if (document.hidden) return;
  document.removeEventListener("visibilitychange", scheduleWhenVisible);
  setTimeout(markRead, DELAY);
}

if (!form.hidden) {
  document.addEventListener("visibilitychange", scheduleWhenVisible);
  scheduleWhenVisible();
}
