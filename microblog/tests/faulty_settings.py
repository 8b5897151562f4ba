"""The site's own settings, and a page that fails."""

from microblog.settings import *  # noqa: F403 - whatever they are, now and later

ROOT_URLCONF = "microblog.tests.faulty_urls"
