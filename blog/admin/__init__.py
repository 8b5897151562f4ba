"""Admin pages for users, posts and reports."""

from . import posts, reports, users

__all__ = ["posts", "reports", "users"]
