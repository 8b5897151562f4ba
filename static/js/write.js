// Counts what is typed the way the server does: trimmed, in code points, a line break as one.

import { send } from "./fragment.js";

for (const text of document.querySelectorAll("textarea[data-limit]")) {
  const counter = text.form.querySelector(".counter");
  const limit = Number(text.dataset.limit);

  const count = () => {
    const left = limit - [...text.value.trim()].length;
    counter.textContent = left.toLocaleString(document.documentElement.lang);
    counter.classList.toggle("counter-low", left >= 0 && left <= 20);
    counter.classList.toggle("counter-over", left < 0);
  };

  text.addEventListener("input", count);
  count();
  if (text.getAttribute("aria-invalid") === "true") text.focus();
}

// A second click must not write the post twice.
for (const form of document.querySelectorAll("form.write")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => delete form.dataset.sent);
}

// A new post appears on top of the list; a refused one comes back as a page that says why.
const form = document.querySelector("form[data-write]");
form?.addEventListener("submit", async (event) => {
  if (event.defaultPrevented) return;
  event.preventDefault();
  const answer = await send(form);
  if (!answer) return form.submit();
  const list = document.querySelector("[data-pages]");
  list.querySelector(".empty")?.remove();
  list.prepend(answer);
  form.querySelector("textarea").value = "";
  form.querySelector("textarea").dispatchEvent(new Event("input"));
  form.querySelector("[data-status]").textContent = form.dataset.done;
  delete form.dataset.sent;
});
