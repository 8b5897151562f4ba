// Keeps unsent text across a change of language or theme, which reloads the page.

const forms = [...document.querySelectorAll("form[data-draft]")];

// The key holds the author's id, because another user may sign in within the same tab.
const storageKey = (form) =>
  `microblog.draft ${form.dataset.draft} ${new URL(form.action).pathname}`;

// Values that the page itself filled in come back with the next page, so they are not kept, except
// in a rejected form, which the next page shows empty.
const hasUserInput = (field) => {
  const isRejected = field.form.querySelector(".field-error") !== null;
  if (field.matches("textarea")) return isRejected || field.value !== field.defaultValue;
  if (field.matches("[type=radio]")) return field.checked && (isRejected || !field.defaultChecked);
  if (!field.matches("select")) return false;
  return [...field.options].some((option) => option.selected !== option.defaultSelected);
};

function restore(form) {
  const draft = JSON.parse(sessionStorage.getItem(storageKey(form)));
  sessionStorage.removeItem(storageKey(form));
  for (const [name, value] of Object.entries(draft ?? {})) {
    form.elements[name].value = value;
    form.querySelector(`textarea[name="${name}"]`)?.dispatchEvent(new Event("input"));
  }
}

function save(form) {
  const fields = [...form.elements].filter(hasUserInput).map((field) => [field.name, field.value]);
  if (!fields.length) return;
  sessionStorage.setItem(storageKey(form), JSON.stringify(Object.fromEntries(fields)));
}

function tryEach(action) {
  for (const form of forms) {
    try {
      action(form);
    } catch {
      // Storage may be full or forbidden. The browser's history still has the page with the text.
    }
  }
}

tryEach(restore);

document.addEventListener("submit", (event) => {
  if (event.target.matches(".preference-form")) tryEach(save);
});
