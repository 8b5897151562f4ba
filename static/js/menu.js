// Closes open menus on Escape, on a click outside, and when the focus moves outside.

const openMenus = () => document.querySelectorAll("[data-menu][open]");

function closeMenusOutside(target) {
  for (const menu of openMenus()) if (!menu.contains(target)) menu.removeAttribute("open");
}

document.addEventListener("click", (event) => closeMenusOutside(event.target));

document.addEventListener("focusout", (event) => {
  if (event.relatedTarget) closeMenusOutside(event.relatedTarget);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  }
});
