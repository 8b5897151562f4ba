// Counts what is typed the way the server does: trimmed, in code points, a line break as one.

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

  // A second click must not write the post twice.
  text.form.addEventListener("submit", (event) => {
    if (text.form.dataset.sent) event.preventDefault();
    text.form.dataset.sent = "yes";
  });
  window.addEventListener("pageshow", () => delete text.form.dataset.sent);
}
