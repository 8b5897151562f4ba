// Checks or unchecks all checkboxes of a list together.

const selectAll = document.querySelector("#action-toggle");

selectAll?.addEventListener("change", () => {
  const checkboxes = document.querySelectorAll("input.action-select");
  for (const checkbox of checkboxes) checkbox.checked = selectAll.checked;
});
