// Requests HTML fragments in the background.

// Returns null where the browser should submit the form itself: connection lost, or a redirect to
// the sign-in page.
export async function submitForm(form) {
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

export async function loadFragment(url) {
  const response = await fetch(url, {
    headers: { "X-Fragment": "true" },
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok || response.redirected) throw new Error(`HTTP ${response.status}`);
  return parse(await response.text());
}

function parse(html) {
  return document.createRange().createContextualFragment(html);
}
