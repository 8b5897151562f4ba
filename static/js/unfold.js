// Shows the whole of a long post in its list.

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-unfold]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  const post = link.closest(".post");
  post.classList.remove("post-folded");
  link.remove();
  const body = post.querySelector(".post-body");
  body.tabIndex = -1;
  body.focus({ preventScroll: true });
});
