// Counts the notifications as read once the person has had the page before their eyes for a moment.

const MOMENT = 1_500; // ms

const form = document.querySelector("[data-read]");

async function markRead() {
  const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Fragment": "true" } });
  if (!response.ok) return;
  document.querySelector('[data-badge="notifications"]').hidden = true;
  form.hidden = true;
}

function lookAt() {
  if (document.hidden) return;
  document.removeEventListener("visibilitychange", lookAt);
  setTimeout(markRead, MOMENT);
}

if (!form.hidden) {
  document.addEventListener("visibilitychange", lookAt);
  lookAt();
}
