// Character counters, protection against double submits, and posting without leaving the page.

import { submitForm } from "./fragment.js";

// Counts like the server: trimmed, in code points, a line break as one character.
for (const text of document.querySelectorAll("textarea[data-limit]")) {
  const counter = text.form.querySelector(".character-counter");
  const limit = Number(text.dataset.limit);

  const updateCounter = () => {
    const left = limit - [...text.value.trim()].length;
    counter.textContent = left.toLocaleString(document.documentElement.lang);
    counter.classList.toggle("character-counter-low", left >= 0 && left <= 20);
    counter.classList.toggle("character-counter-over", left < 0);
  };

  text.addEventListener("input", updateCounter);
  updateCounter();
  if (text.getAttribute("aria-invalid") === "true") text.focus();
}

// A double click must not post twice.
for (const form of document.querySelectorAll("form.composer")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => delete form.dataset.sent);
}

// A new post appears on top of the list. If the server rejects it, the form is submitted normally,
// and the next page shows the errors.
const form = document.querySelector("form[data-composer]");
form?.addEventListener("submit", async (event) => {
  if (event.defaultPrevented) return;
  event.preventDefault();
  const fragment = await submitForm(form);
  if (!fragment) return form.submit();
  const list = document.querySelector("[data-page-rows]");
  list.querySelector(".empty")?.remove();
  list.prepend(fragment);
  form.querySelector("textarea").value = "";
  form.querySelector("textarea").dispatchEvent(new Event("input"));
  form.querySelector("[data-status]").textContent = form.dataset.done;
  delete form.dataset.sent;
});
