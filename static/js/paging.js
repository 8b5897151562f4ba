// Older rows are added where the reader is, rather than on a page of their own.

import { load } from "./fragment.js";

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a.paging-older");
  const list = document.querySelector("[data-pages]");
  if (!link || !list || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  if (link.ariaBusy === "true") return;
  link.ariaBusy = "true";
  try {
    const page = await load(link.href);
    const rows = [...page.querySelector("[data-pages]").children];
    const paging = page.querySelector(".paging .paging-older");
    list.append(...rows);
    if (paging) link.replaceWith(paging);
    else link.remove();
    // The keyboard goes on at the first of the new rows.
    rows[0].tabIndex = -1;
    rows[0].focus({ preventScroll: true });
  } catch {
    location.assign(link.href);
  }
});
