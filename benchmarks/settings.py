"""The product's own settings, with collected files beside the rest of an installation that is thrown away."""

from microblog.settings import *  # noqa: F403
from microblog.settings import VAR_DIR

STATIC_ROOT = VAR_DIR / "static"
