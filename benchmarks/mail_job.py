"""What the limit of the queue's drain runs: a job that sends a mail, and nothing else."""

import json

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

MODEL = "plain-mail.json"


def send(address: str) -> None:
    """Send the mail that lies in MODEL, an export's with its attachment, to somebody else."""
    model = json.loads((settings.VAR_DIR / MODEL).read_text())
    message = EmailMultiAlternatives(
        model["subject"], model["text"], to=[address], headers=model["headers"]
    )
    message.attach_alternative(model["html"], "text/html")
    message.attach("posts.json", model["posts"].encode(), "application/json")
    message.send()
