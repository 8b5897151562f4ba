// Shows a card with a user's profile on hover, or on keyboard focus, of a username.

import { loadFragment } from "./fragment.js";

const DELAY = 350; // ms
const cache = new Map();
let card = null;
let owner = null;
let timer;

export function clearHoverCardCache() {
  cache.clear();
}

function close() {
  clearTimeout(timer);
  card?.remove();
  owner?.removeAttribute("aria-expanded");
  card = owner = null;
}

async function open(link) {
  if (owner === link) return;
  close();
  const url = link.dataset.hoverCard;
  if (!cache.has(url)) cache.set(url, loadFragment(url).catch(() => null));
  owner = link;
  const content = await cache.get(url);
  if (owner !== link || !content || !link.isConnected) return;
  card = document.createElement("span");
  card.className = "hover-card";
  card.append(content.cloneNode(true));
  link.setAttribute("aria-expanded", "true");
  link.after(card);
  position(link);
}

// Below the link, within the column that holds it.
function position(link) {
  const maxLeft = card.offsetParent.clientWidth - card.offsetWidth;
  card.style.top = `${link.offsetTop + link.offsetHeight}px`;
  card.style.left = `${Math.max(0, Math.min(link.offsetLeft, maxLeft))}px`;
}

function schedule(action) {
  clearTimeout(timer);
  timer = setTimeout(action, DELAY);
}

document.addEventListener("pointerover", (event) => {
  if (event.pointerType !== "mouse") return;
  const link = event.target.closest("[data-hover-card]");
  if (link) schedule(() => open(link));
  else if (event.target.closest(".hover-card")) clearTimeout(timer);
  else if (card || timer) schedule(close);
});

document.addEventListener("focusin", (event) => {
  const link = event.target.closest("[data-hover-card]");
  if (link?.matches(":focus-visible")) open(link);
  else if (card && !card.contains(event.target)) close();
});

// Escape closes an open menu first.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !card || document.querySelector("[data-menu][open]")) return;
  if (card.contains(document.activeElement)) owner.focus();
  close();
});
