// Carries what is being written across a choice of language or theme, which loads the page anew.

const forms = [...document.querySelectorAll("form[data-draft]")];

// A draft is its author's: somebody else may sign in within the same tab.
const keyOf = (form) => `microblog.draft ${form.dataset.draft} ${new URL(form.action).pathname}`;

// What the page itself put there comes again with the next one; of a refused form, nothing does.
const isTyped = (field) => {
  const isRefused = field.form.querySelector(".field-error") !== null;
  if (field.matches("textarea")) return isRefused || field.value !== field.defaultValue;
  if (field.matches("[type=radio]")) return field.checked && (isRefused || !field.defaultChecked);
  return field.matches("select") && [...field.options].some((option) => option.selected !== option.defaultSelected);
};

for (const form of forms) {
  try {
    const kept = JSON.parse(sessionStorage.getItem(keyOf(form)));
    sessionStorage.removeItem(keyOf(form));
    for (const [name, value] of Object.entries(kept ?? {})) {
      form.elements[name].value = value;
      form.querySelector(`textarea[name="${name}"]`)?.dispatchEvent(new Event("input"));
    }
  } catch {
    // Storage may be full or forbidden: then the text waits one page back, where the browser keeps it.
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".choices")) return;
  for (const form of forms) {
    const typed = [...form.elements].filter(isTyped).map((field) => [field.name, field.value]);
    if (!typed.length) continue;
    try {
      sessionStorage.setItem(keyOf(form), JSON.stringify(Object.fromEntries(typed)));
    } catch {
      // As above.
    }
  }
});
