"""The product's settings plus the fault injection hooks."""

from microblog.settings import *  # noqa: F403 - take every setting, also later ones
from microblog.settings import EXPORT_LEASE_SECONDS, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "dev.chaos.apps.ChaosConfig"]
# Shrinks with the lease: the product waits 10 seconds with a lease of 20.
EMAIL_TIMEOUT = max(2.0, EXPORT_LEASE_SECONDS / 2)
