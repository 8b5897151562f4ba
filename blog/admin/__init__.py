"""Admin pages for users, posts, reports, and emails about and deletions of accounts."""

from . import account_deletions, account_mails, posts, reports, users

__all__ = ["account_deletions", "account_mails", "posts", "reports", "users"]
