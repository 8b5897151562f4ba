// Reloads the marked part of the page every second, until the server no longer marks it.

import { register } from "./polling.js";

const INTERVAL = 1_000; // ms

async function refresh() {
  const current = document.querySelector("[data-refresh]");
  if (!current) return false;
  const response = await fetch(location.href, { headers: { "X-Poll": "true" }, cache: "no-store" });
  if (!response.ok || response.redirected) return false;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const updated = page.querySelector("[data-refresh]");
  if (updated) current.replaceChildren(...updated.childNodes);
  else location.reload();
  return true;
}

register({ request: refresh, interval: () => INTERVAL });
