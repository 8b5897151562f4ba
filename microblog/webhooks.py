"""Webhook on which the mail provider reports refused mails."""

from django.conf import settings
from django.urls import URLPattern

ANYMAIL_BACKENDS = "anymail.backends."


def urls() -> list[URLPattern]:
    """Return the webhooks of the configured provider.

    None without ANYMAIL_WEBHOOK_SECRET: anyone could report a mail as refused. None of other
    providers: they fail without settings of their own.
    """
    if not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        return []
    if not settings.EMAIL_BACKEND.startswith(ANYMAIL_BACKENDS):
        return []
    from anymail.urls import urlpatterns  # imports the webhooks of every provider

    provider = settings.EMAIL_BACKEND.removeprefix(ANYMAIL_BACKENDS).partition(".")[0]
    names = (f"{provider}_tracking_webhook", f"{provider}_webhook")
    return [
        pattern
        for pattern in urlpatterns
        if isinstance(pattern, URLPattern) and pattern.name in names
    ]
