"""RQ job that only sends a mail: the upper limit of how fast exports can be delivered.

RQ imports the job by its path, in a worker without the rest of the benchmark.
"""

import json

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

TEMPLATE_FILE = "mail-template.json"


def send(address: str) -> None:
    """Send a copy of the export mail in TEMPLATE_FILE, with its attachment, to `address`."""
    template = json.loads((settings.VAR_DIR / TEMPLATE_FILE).read_text())
    message = EmailMultiAlternatives(
        template["subject"], template["text"], to=[address], headers=template["headers"]
    )
    message.attach_alternative(template["html"], "text/html")
    message.attach("posts.json", template["posts"].encode(), "application/json")
    message.send()
