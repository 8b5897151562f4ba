// Closes the menu as menus are closed: by Escape, by a click elsewhere, and when the keyboard leaves it.

const menu = document.querySelector("[data-menu]");

const close = () => menu.removeAttribute("open");

document.addEventListener("click", (event) => {
  if (!menu.contains(event.target)) close();
});

menu.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !menu.contains(event.relatedTarget)) close();
});

menu.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.open) return;
  close();
  menu.querySelector("summary").focus();
});
