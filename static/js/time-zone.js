// Stores the browser's time zone in a cookie, for users who have not chosen one.

const timeZone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "");
if (!document.cookie.split("; ").includes(`zone=${timeZone}`)) {
  document.cookie = `zone=${timeZone}; path=/; max-age=31536000; samesite=lax`;
}
