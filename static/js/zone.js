// Tells the server which time zone the browser keeps, for people who have not chosen one.

const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
if (!document.cookie.split("; ").includes(`zone=${zone}`)) {
  document.cookie = `zone=${zone}; path=/; max-age=31536000; samesite=lax`;
}
