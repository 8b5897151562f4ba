"""The product's own settings, with the hooks of the fault injection and a wait that shrinks with the lease."""

from microblog.settings import *  # noqa: F403 - whatever they are, now and later
from microblog.settings import EXPORT_LEASE_SECONDS, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "dev.chaos.apps.Chaos"]
EMAIL_TIMEOUT = max(2.0, EXPORT_LEASE_SECONDS / 2)  # the product's 10 seconds, at its lease of 20
