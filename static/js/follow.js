// Follows and unfollows without leaving the page.

import { submitForm } from "./fragment.js";
import { clearHoverCardCache } from "./hover-card.js";

// The response holds counts and button; lists show the button alone.
function replaceFollowForm(form, fragment) {
  const stats = form.closest("[data-profile-stats]");
  const replacement = fragment.querySelector(stats ? "[data-profile-stats]" : ".follow");
  (stats ?? form).replaceWith(replacement);
  replacement.querySelector("button")?.focus();
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-follow]");
  if (!form) return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  const fragment = await submitForm(form);
  if (!fragment) return form.submit();
  clearHoverCardCache();
  replaceFollowForm(form, fragment);
});
