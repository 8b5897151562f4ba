// Keeps an open conversation up to date: new messages, read receipts, sending, older messages.

import { loadFragment, submitForm } from "./fragment.js";
import { pollNow, register } from "./polling.js";

const INTERVAL = 2_500; // ms
const FOLLOW_DISTANCE = 160; // px from the end within which the page scrolls to new messages

const list = document.querySelector("[data-message-list]");
const end = document.getElementById("newest");
const form = document.querySelector("form[data-message-form]");
const readForm = document.querySelector("form[data-mark-read]");

// Instant: a smooth scroll in progress would look like the reader's own scrolling.
const scrollToEnd = () => end.scrollIntoView({ block: "end", behavior: "instant" });
const newestCursor = () => list.querySelector("article:last-of-type")?.dataset.cursor ?? "0-0";

// New messages

function showSeen(seen) {
  const current = list.querySelector("[data-seen]");
  const message = seen && document.getElementById(seen.dataset.seen);
  if (!message || current?.dataset.seen === seen.dataset.seen) return;
  current?.remove();
  message.append(seen);
}

function showUpdates(fragment) {
  const isAtEnd = end.getBoundingClientRect().bottom < innerHeight + FOLLOW_DISTANCE;
  const isNew = ({ id }) => !document.getElementById(id);
  const messages = [...fragment.querySelectorAll("article")].filter(isNew);
  if (messages.length > 0) list.querySelector(".empty")?.remove();
  list.append(...messages);
  showSeen(fragment.querySelector("[data-seen]"));
  form.elements.after.value = readForm.elements.until.value = newestCursor();
  if (messages.length > 0 && isAtEnd) scrollToEnd();
}

async function markRead() {
  const unread = list.querySelectorAll("[data-unread]");
  if (document.hidden || unread.length === 0 || !(await submitForm(readForm))) return;
  for (const message of unread) message.removeAttribute("data-unread");
  pollNow();
}

async function request() {
  await markRead();
  const url = new URL(list.dataset.pollUrl, location.href);
  url.searchParams.set("after", newestCursor());
  showUpdates(await loadFragment(url));
  await markRead();
}

// Sending

async function sendMessage(event) {
  if (event.defaultPrevented) return;
  event.preventDefault();
  const text = form.elements.body;
  const sent = text.value;
  const fragment = await submitForm(form);
  if (!fragment) return form.submit();
  showUpdates(fragment);
  scrollToEnd();
  // Keep what was typed while the message was being sent.
  text.value = text.value.startsWith(sent) ? text.value.slice(sent.length) : text.value;
  text.dispatchEvent(new Event("input"));
  form.querySelector(".field-error")?.remove();
  text.removeAttribute("aria-invalid");
  delete form.dataset.sent;
}

// Older messages

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a.pager-older");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  if (link.ariaBusy === "true") return;
  link.ariaBusy = "true";
  try {
    const page = await loadFragment(link.href);
    const first = list.querySelector("article");
    const top = first.getBoundingClientRect().top;
    const rows = page.querySelectorAll("[data-message-list] article");
    list.prepend(...rows);
    const nextLink = page.querySelector("a.pager-older");
    if (nextLink) link.replaceWith(nextLink);
    else link.remove();
    scrollBy({ top: first.getBoundingClientRect().top - top, behavior: "instant" });
    // Move the focus to the next link, or to the oldest message.
    const focusTarget = nextLink ?? rows[0];
    if (!nextLink) rows[0].tabIndex = -1;
    focusTarget.focus({ preventScroll: true });
  } catch {
    location.assign(link.href);
  }
});

if (form && list.dataset.pollUrl) {
  readForm.hidden = true;
  if (!form.querySelector(".field-error")) scrollToEnd();
  form.addEventListener("submit", sendMessage);
  form.elements.body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  register({ request, interval: () => INTERVAL, delay: 0 });
}
