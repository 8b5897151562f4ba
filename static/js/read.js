// Counts the notifications as read once the person has had the page before their eyes for a moment.

import { send } from "./fragment.js";

const MOMENT = 1_500; // ms

const form = document.querySelector("[data-read]");

async function markRead() {
  if (!(await send(form))) return;
  form.hidden = true;
  document.dispatchEvent(new Event("microblog:read"));
}

function lookAt() {
  if (document.hidden) return;
  document.removeEventListener("visibilitychange", lookAt);
  setTimeout(markRead, MOMENT);
}

if (!form.hidden) {
  document.addEventListener("visibilitychange", lookAt);
  lookAt();
}
