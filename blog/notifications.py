"""Notifications: who is notified of what, their texts, and the unread counts.

A `Notification` row keeps a payload. It is rendered when read, in the language of the reader.
"""

from collections.abc import Callable
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from . import linkify
from .models import Follow, Message, Notification, Outcome, Post, User

Renderer = Callable[[dict[str, Any]], dict[str, Any]]

MAX_MENTIONS = 10  # users that one post can notify
BADGES = ("messages", "notifications")


# Who is notified


def notify_follow(follow: Follow) -> None:
    user, follower = follow.followed, follow.follower
    if _notify_once(user, f"follow:{follower.pk}", follower) and user.has_follow_mail:
        _send_mail("new_follower", user, follower, path=follower.get_absolute_url())


def notify_mention(post: Post) -> None:
    """Notify the users that a post mentions and who can see it, once for each post.

    An imported post mentions nobody.
    """
    is_silent = post.hidden_at or post.source
    names = [] if is_silent else list(dict.fromkeys(linkify.find_usernames(post.body)))
    if not names:
        return
    users = User.objects.visible_to(post.author).filter(username__lower__in=names)
    for user in users.exclude(pk=post.author_id).order_by("pk")[:MAX_MENTIONS]:
        if _notify_once(user, f"mention:{post.pk}", post.author, post) and user.has_mention_mail:
            _send_mail("mention", user, post.author, path=post.get_absolute_url())


def notify_message(message: Message) -> None:
    """Mail the recipient about the first unread message of a conversation.

    `Conversation.add_message` creates the notification on the site. The mail waits a minute and is
    not sent if the message is read by then.
    """
    recipient, sender = message.recipient, message.sender
    unread = Message.objects.unread().filter(
        conversation=message.conversation_id, recipient=recipient
    )
    if (
        recipient.has_message_mail
        and not unread.exclude(pk=message.pk).exists()
        and not _is_muted(recipient, sender)
    ):
        path = reverse("conversation-detail", args=[sender.username])
        _send_mail("new_message", recipient, sender, path=path, message=message)


def _notify_once(user: User, name: str, actor: User, post: Post | None = None) -> bool:
    """Create the notification; return False if it exists already or the user muted the actor."""
    payload = {"name": actor.username} | ({"post": post.pk} if post else {})
    is_new = Notification.objects.create_once(user.pk, name, payload, actor=actor, post=post)
    return is_new and not _is_muted(user, actor)


def _is_muted(user: User, actor: User) -> bool:
    return user.mutes.filter(muted=actor).exists()


def _send_mail(
    template: str, user: User, actor: User, *, path: str, message: Message | None = None
) -> None:
    address = user.confirmed_email
    if address and user.is_active:
        context = {
            "user": user,
            "actor": actor,
            "url": settings.SITE_URL + path,
            "message": message,
        }
        get_adapter().send_mail(f"email/{template}", address, context)


# Unread counts


def unread_counts(user: User) -> dict[str, int]:
    """Return the unread counts by badge name. `request.user` has them already: no query."""
    if not hasattr(user, "unread_messages"):
        user = User.objects.with_badges(user.pk).get()
    return {name: getattr(user, f"unread_{name}") for name in BADGES}


# Texts


def register(prefix: str, renderer: Renderer) -> None:
    """Register the function that renders the payload of notifications named `<prefix>:...`.

    It returns JSON-ready data for the browser. `toast` in it is None or
    `{"level": ..., "text": ..., "url": ...}`, and `title` if the text does not name its subject.
    """
    _renderers[prefix] = renderer


def is_registered(name: str) -> bool:
    return _prefix(name) in _renderers


def render(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the browser's data for a notification; KeyError if its prefix is not registered."""
    return _renderers[_prefix(name)](payload)


def _prefix(name: str) -> str:
    return name.partition(":")[0]


def render_follow(payload: dict[str, Any]) -> dict[str, Any]:
    return _toast(
        level="info",
        text=_("%(name)s follows you now") % payload,
        url=reverse("profile", args=[payload["name"]]),
    )


def render_mention(payload: dict[str, Any]) -> dict[str, Any]:
    return _toast(
        level="info",
        text=_("%(name)s mentioned you") % payload,
        url=reverse("post-detail", args=[payload["post"]]),
    )


def render_message(payload: dict[str, Any]) -> dict[str, Any]:
    return _toast(
        level="info",
        text=_("%(name)s wrote to you") % payload,
        url=reverse("conversation-detail", args=[payload["name"]]),
    )


def render_hidden_post(payload: dict[str, Any]) -> dict[str, Any]:
    if payload["is_hidden"]:
        level = "warning"
        text = _("Staff have hidden a post of yours. Reason: %(reason)s") % {
            "reason": payload["reason"]
        }
    else:
        level = "success"
        text = _("Staff show a post of yours again that they had hidden.")
    return _toast(level=level, text=text, url=reverse("post-detail", args=[payload["post"]]))


def render_report(payload: dict[str, Any]) -> dict[str, Any]:
    # The reporter learns the outcome, but not the action against the user.
    if payload["outcome"] == Outcome.DISMISSED:
        text = _("Thank you, we looked at your report. We found nothing against the rules.")
    else:
        text = _("Thank you, we looked at your report, and did something about it.")
    return _toast(
        level="success", text=text, url=reverse("report-detail", args=[payload["report"]])
    )


def _toast(*, level: str, text: str, url: str) -> dict[str, Any]:
    return {"toast": {"level": level, "text": text, "url": url}}


_renderers: dict[str, Renderer] = {
    "follow": render_follow,
    "mention": render_mention,
    "message": render_message,
    "hidden": render_hidden_post,
    "report": render_report,
}
