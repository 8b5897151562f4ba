"""The product's settings for a temporary installation."""

from microblog.settings import *  # noqa: F403 - take every setting, also later ones
from microblog.settings import INSTALLED_APPS, MIDDLEWARE, VAR_DIR, env

STATIC_ROOT = VAR_DIR / "static"
ROOT_URLCONF = "benchmarks.urls"

if env.boolean("BENCH_BASELINE", default=False):
    ROOT_URLCONF, MIDDLEWARE, INSTALLED_APPS = "benchmarks.baseline", [], []
