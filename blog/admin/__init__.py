"""Admin pages for users, posts, reports and e-mails about accounts."""

from . import account_mails, posts, reports, users

__all__ = ["account_mails", "posts", "reports", "users"]
