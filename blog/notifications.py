"""Notifications: who is notified of what, their texts, and the unread counts.

A `Notification` row keeps a payload. It is rendered when read, in the language of the reader.
"""

from collections.abc import Callable
from itertools import chain
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from tasks.models.rows import AccountClosed, lock_users

from . import linkify
from .models import Follow, Message, Notification, Outcome, Post, User

Renderer = Callable[[dict[str, Any]], dict[str, Any]]

MAX_MENTIONS = 10  # users that one post can notify
BADGES = ("messages", "notifications")


# Who is notified


def notify_follow(follow: Follow) -> None:
    user, follower = follow.followed, follow.follower
    name = f"follow:{follower.pk}"
    if _notify_once(user, name, follower) and user.has_follow_mail:
        _send_mail("new_follower", user, follower, path=follower.get_absolute_url(), name=name)


def lock_author(post: Post) -> None:
    """Lock the author of a post, and whom it mentions, before the post is saved.

    AccountClosed if the author's account is closed.
    """
    names = chain.from_iterable(_mentions(post))
    mentioned = User.objects.filter(username__lower__in=set(names))
    users = lock_users(post.author_id, *mentioned.values_list("pk", flat=True))
    if post.author_id not in users or not users[post.author_id].is_active:
        raise AccountClosed


def notify_mention(post: Post) -> None:
    """Notify the users that a post mentions and who can see it, once for each post.

    An imported post mentions nobody.
    """
    mentions = _mentions(post)
    if not mentions:
        return
    names = set(chain.from_iterable(mentions))
    visible = User.objects.visible_to(post.author).filter(username__lower__in=names)
    users = {user.username.lower(): user for user in visible.order_by("pk")}
    mentioned = [users[name] for name in linkify.choose_names(mentions, users)]
    others = [user for user in mentioned if user.pk != post.author_id]
    for user in others[:MAX_MENTIONS]:
        name = f"mention:{post.pk}"
        if _notify_once(user, name, post.author, post) and user.has_mention_mail:
            _send_mail("mention", user, post.author, path=post.get_absolute_url(), name=name)


def _mentions(post: Post) -> list[tuple[str, ...]]:
    """Return the names that each mention of a post may mean; none if it notifies nobody."""
    is_silent = post.hidden_at or post.source
    return [] if is_silent else list(dict.fromkeys(linkify.find_mentions(post.body)))


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
        name = f"message:{message.conversation_id}"
        _send_mail("new_message", recipient, sender, path=path, name=name, message=message)


def _notify_once(user: User, name: str, actor: User, post: Post | None = None) -> bool:
    """Create the notification; return False if it exists already or the user muted the actor."""
    payload = {"name": actor.username} | ({"post": post.pk} if post else {})
    is_new = Notification.objects.create_once(user.pk, name, payload, actor=actor, post=post)
    return is_new and not _is_muted(user, actor)


def _is_muted(user: User, actor: User) -> bool:
    return user.mutes.filter(muted=actor).exists()


def _send_mail(
    template: str,
    user: User,
    actor: User,
    *,
    path: str,
    name: str,
    message: Message | None = None,
) -> None:
    address = user.confirmed_email
    if address and user.is_active:
        context = {
            "user": user,
            "actor": actor,
            "url": settings.SITE_URL + path,
            "message": message,
            "notification_name": name,
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
        text=_("%(name)s followed you") % payload,
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
        text=_("%(name)s sent you a message") % payload,
        url=reverse("conversation-detail", args=[payload["name"]]),
    )


def render_hidden_post(payload: dict[str, Any]) -> dict[str, Any]:
    if payload["is_hidden"]:
        level = "warning"
        text = _("Staff have hidden one of your posts. Reason: %(reason)s") % {
            "reason": payload["reason"]
        }
    else:
        level = "success"
        text = _("Staff have restored one of your hidden posts.")
    return _toast(level=level, text=text, url=reverse("post-detail", args=[payload["post"]]))


def render_report(payload: dict[str, Any]) -> dict[str, Any]:
    # The reporter learns the outcome, but not the action against the user.
    if payload["outcome"] == Outcome.DISMISSED:
        text = _("Thanks for your report. We reviewed it and found no violation of the rules.")
    else:
        text = _("Thanks for your report. We reviewed it and took action.")
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
