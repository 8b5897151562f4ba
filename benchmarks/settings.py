"""The product's own settings, with collected files beside the rest of an installation that is thrown away."""

from microblog.settings import *  # noqa: F403 - whatever they are, now and later
from microblog.settings import INSTALLED_APPS, MIDDLEWARE, VAR_DIR, env

STATIC_ROOT = VAR_DIR / "static"
ROOT_URLCONF = "benchmarks.urls"

if env.bool("BENCH_FLOOR", default=False):
    ROOT_URLCONF, MIDDLEWARE, INSTALLED_APPS = "benchmarks.floor", [], []
