// Keeps an open conversation up to date: what arrives, what the other has seen, what is written, what came before.

import { load, send } from "./fragment.js";

const PAUSE = 2_500; // ms between two questions while the page is looked at
const LONGEST = 60_000; // after errors
const NEAR = 160; // pixels from the end at which the reader follows what arrives

const list = document.querySelector("[data-said]");
const end = document.getElementById("newest");
const form = document.querySelector("form[data-message]");
const reading = document.querySelector("form[data-read]");
let isAsking = false;
let failures = 0;
let timer;

// At once: on its way, a smooth scroll would be mistaken for the reader's own.
const follow = () => end.scrollIntoView({ block: "end", behavior: "instant" });
const newest = () => list.querySelector("article:last-of-type")?.dataset.cursor ?? "0-0";

// What is new

function showSeen(fresh) {
  const shown = list.querySelector("[data-seen]");
  const message = fresh && document.getElementById(fresh.dataset.seen);
  if (!message || shown?.dataset.seen === fresh.dataset.seen) return;
  shown?.remove();
  message.append(fresh);
}

function show(page) {
  const isFollowing = end.getBoundingClientRect().bottom < innerHeight + NEAR;
  const fresh = [...page.querySelectorAll("article")].filter(({ id }) => !document.getElementById(id));
  if (fresh.length > 0) list.querySelector(".empty")?.remove();
  list.append(...fresh);
  showSeen(page.querySelector("[data-seen]"));
  form.elements.after.value = reading.elements.until.value = newest();
  if (fresh.length > 0 && isFollowing) follow();
}

async function markRead() {
  const unread = list.querySelectorAll("[data-unread]");
  if (document.hidden || unread.length === 0 || !(await send(reading))) return;
  for (const message of unread) message.removeAttribute("data-unread");
  document.dispatchEvent(new Event("microblog:read"));
}

async function ask() {
  clearTimeout(timer);
  if (document.hidden || isAsking) return;
  isAsking = true;
  try {
    await markRead();
    const url = new URL(list.dataset.news, location.href);
    url.searchParams.set("after", newest());
    show(await load(url));
    await markRead();
    failures = 0;
  } catch {
    failures += 1;
  } finally {
    isAsking = false;
  }
  timer = setTimeout(ask, Math.min(PAUSE * 2 ** failures, LONGEST));
}

// Writing

async function write(event) {
  if (event.defaultPrevented) return;
  event.preventDefault();
  const text = form.elements.body;
  const sent = text.value;
  const answer = await send(form);
  if (!answer) return form.submit();
  show(answer);
  follow();
  // What was typed meanwhile stays.
  text.value = text.value.startsWith(sent) ? text.value.slice(sent.length) : text.value;
  text.dispatchEvent(new Event("input"));
  form.querySelector(".field-error")?.remove();
  text.removeAttribute("aria-invalid");
  delete form.dataset.sent;
}

// What came before

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a.paging-older");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  if (link.ariaBusy === "true") return;
  link.ariaBusy = "true";
  try {
    const page = await load(link.href);
    const first = list.querySelector("article");
    const top = first.getBoundingClientRect().top;
    const rows = page.querySelectorAll("[data-said] article");
    list.prepend(...rows);
    const next = page.querySelector("a.paging-older");
    if (next) link.replaceWith(next);
    else link.remove();
    scrollBy({ top: first.getBoundingClientRect().top - top, behavior: "instant" });
    // The keyboard goes on to what is older still.
    const goesOn = next ?? rows[0];
    if (!next) rows[0].tabIndex = -1;
    goesOn.focus({ preventScroll: true });
  } catch {
    location.assign(link.href);
  }
});

if (form && list.dataset.news) {
  reading.hidden = true;
  if (!form.querySelector(".field-error")) follow();
  form.addEventListener("submit", write);
  form.elements.body.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  document.addEventListener("visibilitychange", ask);
  ask();
}
