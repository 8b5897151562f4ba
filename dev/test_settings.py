"""The product's settings plus an app that only the tests have."""

from microblog.settings import *  # noqa: F403
from microblog.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tasks.tests"]
