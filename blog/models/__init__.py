"""Users, posts, messages, notifications and moderation."""

from .account_deletion import AccountDeletion, DeletionEvent
from .account_mail import AccountMail
from .api_token import MAX_TOKEN_NAME_LENGTH, MAX_TOKENS, ApiToken, TooManyTokens
from .block import Block, Mute, unblocked, unmuted
from .follow import Follow
from .guess_record import GuessRecord
from .last_use import touch
from .message import MAX_MESSAGE_LENGTH, Conversation, Message, Participant
from .notification import Notification
from .post import MAX_HIDDEN_REASON_LENGTH, MAX_IMPORTED_LENGTH, MAX_POST_LENGTH, Post
from .profiles import SIGN_UP_RETENTION, UserManager
from .report import MAX_COMMENT_LENGTH, Outcome, Reason, Report
from .user import USERNAME_VALIDATORS, User, confirmed_emails, time_zones, validate_time_zone

__all__ = [
    "MAX_COMMENT_LENGTH",
    "MAX_HIDDEN_REASON_LENGTH",
    "MAX_IMPORTED_LENGTH",
    "MAX_MESSAGE_LENGTH",
    "MAX_POST_LENGTH",
    "MAX_TOKENS",
    "MAX_TOKEN_NAME_LENGTH",
    "SIGN_UP_RETENTION",
    "USERNAME_VALIDATORS",
    "AccountDeletion",
    "AccountMail",
    "ApiToken",
    "Block",
    "Conversation",
    "DeletionEvent",
    "Follow",
    "GuessRecord",
    "Message",
    "Mute",
    "Notification",
    "Outcome",
    "Participant",
    "Post",
    "Reason",
    "Report",
    "TooManyTokens",
    "User",
    "UserManager",
    "confirmed_emails",
    "time_zones",
    "touch",
    "unblocked",
    "unmuted",
    "validate_time_zone",
]
