// The box in a table's head ticks all that are under it.

const all = document.querySelector("#action-toggle");

all?.addEventListener("change", () => {
  for (const box of document.querySelectorAll("input.action-select")) box.checked = all.checked;
});
