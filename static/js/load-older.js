// Appends older rows to the list instead of opening them on a page of their own.

import { loadFragment } from "./fragment.js";

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a.pager-older");
  const list = document.querySelector("[data-page-rows]");
  const opensElsewhere = event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;
  if (!link || !list || opensElsewhere) return;
  event.preventDefault();
  if (link.ariaBusy === "true") return;
  link.ariaBusy = "true";
  try {
    const page = await loadFragment(link.href);
    const rows = [...page.querySelector("[data-page-rows]").children];
    const nextLink = page.querySelector(".pager .pager-older");
    list.append(...rows);
    if (nextLink) link.replaceWith(nextLink);
    else link.remove();
    // Move the focus to the first new row.
    rows[0].tabIndex = -1;
    rows[0].focus({ preventScroll: true });
  } catch {
    location.assign(link.href);
  }
});
