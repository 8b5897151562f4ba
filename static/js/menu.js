// Closes menus as menus are closed: by Escape, by a click elsewhere, and when the keyboard leaves them.

const openMenus = () => document.querySelectorAll("[data-menu][open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.removeAttribute("open");
});

document.addEventListener("focusout", (event) => {
  if (!event.relatedTarget) return;
  for (const menu of openMenus()) if (!menu.contains(event.relatedTarget)) menu.removeAttribute("open");
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  }
});
