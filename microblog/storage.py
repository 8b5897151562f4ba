"""Storages of static files and of messages to the next page."""

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFilesStorage(CompressedManifestStaticFilesStorage):
    """Compressed static files with hashes in their names, also where modules import each other."""

    support_js_module_import_aggregation = True


class MessageCookieStorage(CookieStorage):
    cookie_name = settings.MESSAGES_COOKIE_NAME


class MessageStorage(FallbackStorage):
    """Messages in a cookie that belongs to this site alone, or in the session if it is too small.

    Sites on other ports of the same host have cookies of their own.
    """

    storage_classes = (MessageCookieStorage, SessionStorage)
