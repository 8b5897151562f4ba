// Carries what is being written across a choice of language or theme, which loads the page anew.

const forms = [...document.querySelectorAll("form[data-draft]")];

// A draft is its author's: somebody else may sign in within the same tab.
const keyOf = (form) => `microblog.draft ${form.dataset.draft} ${form.getAttribute("action")}`;

for (const form of forms) {
  const text = form.querySelector("textarea");
  try {
    const kept = sessionStorage.getItem(keyOf(form));
    sessionStorage.removeItem(keyOf(form));
    if (kept === null || kept === text.value) continue;
    text.value = kept;
    text.dispatchEvent(new Event("input"));
  } catch {
    // Storage may be full or forbidden: then the text waits one page back, where the browser keeps it.
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".choices")) return;
  for (const form of forms) {
    const text = form.querySelector("textarea");
    if (text.value === text.defaultValue && text.getAttribute("aria-invalid") !== "true") continue;
    try {
      sessionStorage.setItem(keyOf(form), text.value);
    } catch {
      // As above.
    }
  }
});
