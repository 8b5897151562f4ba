// Loads the marked part of the page anew until the mark is gone from it.

const PAUSE = 1_000; // ms

async function refresh() {
  const part = document.querySelector("[data-fragment]");
  if (!part) return;
  try {
    const response = await fetch(location.href, { headers: { "X-Poll": "true" }, cache: "no-store" });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page.querySelector("[data-fragment]");
    if (fresh) part.replaceChildren(...fresh.childNodes);
    else location.reload();
  } catch {
    // No connection: the next time may do.
  }
  setTimeout(refresh, PAUSE);
}

setTimeout(refresh, PAUSE);
