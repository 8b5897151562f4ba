// Sends a form in the background, and gives back the part of a page that answers it.

// null where the page itself should send the form after all: no connection, or the sign-in in the way.
export async function send(form) {
  try {
    const response = await fetch(form.action, {
      method: "POST",
      body: new FormData(form),
      headers: { "X-Fragment": "true" },
    });
    return response.ok && !response.redirected ? parse(await response.text()) : null;
  } catch {
    return null;
  }
}

export async function load(url) {
  const response = await fetch(url, { headers: { "X-Fragment": "true" }, signal: AbortSignal.timeout(10_000) });
  if (!response.ok || response.redirected) throw new Error(`HTTP ${response.status}`);
  return parse(await response.text());
}

function parse(html) {
  return document.createRange().createContextualFragment(html);
}
