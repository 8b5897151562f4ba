// Checks or unchecks all checkboxes of a list together.

const selectAll = document.querySelector("#action-toggle");

selectAll?.addEventListener("change", () => {
  for (const checkbox of document.querySelectorAll("input.action-select")) checkbox.checked = selectAll.checked;
});
