"""How people are told of a message: by whom, and nothing of what it says."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from . import notifications


def describe(facts: dict[str, Any]) -> dict[str, Any]:
    """The words of a `message:<conversation>` notification; `facts` hold the sender's name."""
    text = _("%(name)s wrote to you") % {"name": facts["name"]}
    url = reverse("conversation-detail", args=[facts["name"]])
    return {"toast": {"level": "info", "text": text, "url": url}}


def register() -> None:
    notifications.register("message", describe)
