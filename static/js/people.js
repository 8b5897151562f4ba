// Following without leaving the page, and a card on every name that is pointed at or reached by keyboard.

import { load, send } from "./fragment.js";

const DELAY = 350;
const cards = new Map();
let card = null;
let owner = null;
let timer;

function close() {
  clearTimeout(timer);
  card?.remove();
  owner?.removeAttribute("aria-expanded");
  card = owner = null;
}

async function open(link) {
  if (owner === link) return;
  close();
  const url = link.dataset.card;
  if (!cards.has(url)) cards.set(url, load(url).catch(() => null));
  owner = link;
  const content = await cards.get(url);
  if (owner !== link || !content || !link.isConnected) return;
  card = document.createElement("span");
  card.className = "card-hover";
  card.append(content.cloneNode(true));
  link.setAttribute("aria-expanded", "true");
  link.after(card);
  place(link);
}

// Below the name, within the column that the name is in.
function place(link) {
  const room = card.offsetParent.clientWidth - card.offsetWidth;
  card.style.top = `${link.offsetTop + link.offsetHeight}px`;
  card.style.left = `${Math.max(0, Math.min(link.offsetLeft, room))}px`;
}

function soon(act) {
  clearTimeout(timer);
  timer = setTimeout(act, DELAY);
}

document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "mouse") return;
  const link = event.target.closest("[data-card]");
  if (link) soon(() => open(link));
  else if (event.target.closest(".card-hover")) clearTimeout(timer);
  else if (card || timer) soon(close);
});

document.addEventListener("focusin", (event) => {
  const link = event.target.closest("[data-card]");
  if (link?.matches(":focus-visible")) open(link);
  else if (card && !card.contains(event.target)) close();
});

// A menu closes first.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !card || document.querySelector("[data-menu][open]")) return;
  if (card.contains(document.activeElement)) owner.focus();
  close();
});

// The server answers with counts and button: in a list only the button has a place.
function replace(form, answer) {
  const standing = form.closest("[data-standing]");
  const fresh = standing ? answer.querySelector("[data-standing]") : answer.querySelector(".follow");
  (standing ?? form).replaceWith(fresh);
  fresh.querySelector("button")?.focus();
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-follow]");
  if (!form) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const answer = await send(form);
  if (!answer) return form.submit();
  cards.clear();
  replace(form, answer);
});
