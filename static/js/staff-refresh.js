// Reloads the marked part of the page every second, until the server no longer marks it.

const INTERVAL_MS = 1_000;

async function refresh() {
  const current = document.querySelector("[data-refresh]");
  if (!current) return;
  try {
    const response = await fetch(location.href, { headers: { "X-Poll": "true" }, cache: "no-store" });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const updated = page.querySelector("[data-refresh]");
    if (updated) current.replaceChildren(...updated.childNodes);
    else location.reload();
  } catch {
    // No connection: try again after the interval.
  }
  setTimeout(refresh, INTERVAL_MS);
}

setTimeout(refresh, INTERVAL_MS);
