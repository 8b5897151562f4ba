// Character counters, forms that can only be sent when the server would accept them, and posting
// without leaving the page.

import { submitForm } from "./fragment.js";

const FEW = 20; // characters left

// Counts like the server: trimmed, in code points, a line break as one character.
const length = (text) => [...text.value.trim()].length;

/** Browsers without `field-sizing` need the height in pixels; style sheets limit it. */
function fit(text) {
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + text.offsetHeight - text.clientHeight}px`;
}

/** Show the characters left, and say why the text cannot be sent, if so. */
function update(text) {
  const limit = Number(text.dataset.limit);
  const left = limit - length(text);
  const counter = text.form.querySelector(".character-counter");
  counter.textContent = left.toLocaleString(document.documentElement.lang);
  counter.classList.toggle("character-counter-low", left >= 0 && left <= FEW);
  counter.classList.toggle("character-counter-over", left < 0);
  fit(text);
  const { empty, over } = text.form.dataset;
  if (!empty) return;
  const status = text.form.querySelector("[data-status]");
  status.dataset.hint ??= status.textContent;
  const reason = left < 0 ? over : left === limit ? empty : "";
  text.form.querySelector("[type=submit]").disabled = reason !== "";
  const message = reason || status.dataset.hint;
  if (status.textContent !== message) status.textContent = message;
}

for (const text of document.querySelectorAll("textarea[data-limit]")) {
  text.addEventListener("input", () => update(text));
  // The browser may fill in the text of before after this script has run.
  window.addEventListener("pageshow", () => update(text));
  update(text);
  if (text.getAttribute("aria-invalid") === "true") text.focus();
}

// A double click must not post twice, and a key must not send what the button would not.
for (const form of document.querySelectorAll("form.composer")) {
  form.addEventListener("submit", (event) => {
    const isUnsendable = form.querySelector("[type=submit]").disabled;
    if (form.dataset.sent || isUnsendable) event.preventDefault();
    if (isUnsendable) return;
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
