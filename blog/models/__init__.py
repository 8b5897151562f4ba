"""People, what they write, whom they read, and what the site has to tell them."""

from .account_mail import MAIL_LEASE, AccountMail, a_lease_from_now
from .api_token import MOST_TOKENS, TOKEN_NAME_LENGTH, ApiToken, TooManyTokens
from .block import Block, Mute, unblocked, unmuted
from .compiled_query import Prepared
from .follow import Follow
from .message import MESSAGE_LENGTH, Conversation, Message, Participant
from .notification import Notification
from .post import HIDDEN_REASON_LENGTH, POST_LENGTH, Post
from .report import COMMENT_LENGTH, Outcome, Reason, Report
from .user import (
    NOBODY,
    SIGN_UP_KEPT,
    USERNAME_VALIDATORS,
    PersonManager,
    User,
    confirmed_emails,
    time_zones,
    validate_time_zone,
)

__all__ = [
    "COMMENT_LENGTH",
    "HIDDEN_REASON_LENGTH",
    "MAIL_LEASE",
    "MESSAGE_LENGTH",
    "MOST_TOKENS",
    "NOBODY",
    "POST_LENGTH",
    "SIGN_UP_KEPT",
    "TOKEN_NAME_LENGTH",
    "USERNAME_VALIDATORS",
    "AccountMail",
    "ApiToken",
    "Block",
    "Conversation",
    "Follow",
    "Message",
    "Mute",
    "Notification",
    "Outcome",
    "Participant",
    "PersonManager",
    "Post",
    "Prepared",
    "Reason",
    "Report",
    "TooManyTokens",
    "User",
    "a_lease_from_now",
    "confirmed_emails",
    "time_zones",
    "unblocked",
    "unmuted",
    "validate_time_zone",
]
