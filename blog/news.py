"""Who is told of what people do: on the site and, where they wish it, by mail."""

from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from . import linkify
from . import notifications
from .models import Follow, Message, Notification, Post, User

MOST_MENTIONED = 10  # people whom one post can call


def followed(follow: Follow) -> None:
    """Tell somebody of a new follower: once, however often that one comes and goes."""
    person, follower = follow.followed, follow.follower
    if _tell_once(person, f"follow:{follower.pk}", follower) and person.has_follow_mail:
        _mail("followed", person, follower, follower.get_absolute_url())


def mentioned(post: Post) -> None:
    """Tell those whom a post names, unless it has told them before, or they could not read it."""
    names = [] if post.hidden_at else list(dict.fromkeys(linkify.find_usernames(post.body)))
    people = (
        User.objects.visible_to(post.author)
        .filter(username__lower__in=names)
        .exclude(pk=post.author_id)
    )
    called = list(people.order_by("pk")[:MOST_MENTIONED]) if names else []
    for person in called:
        if _tell_once(person, f"mention:{post.pk}", post.author, post) and person.has_mention_mail:
            _mail("mentioned", person, post.author, post.get_absolute_url())


def wrote(message: Message) -> None:
    """Mail that there is a message, if there was none before that the person has not read; the site tells by itself.

    They have a minute to read it on the site, and then no mail comes.
    """
    person, sender = message.recipient, message.sender
    waiting = Message.objects.unread().filter(
        conversation=message.conversation_id, recipient=person
    )
    if (
        person.has_message_mail
        and not waiting.exclude(pk=message.pk).exists()
        and not _is_muted(person, sender)
    ):
        _mail(
            "wrote", person, sender, reverse("conversation-detail", args=[sender.username]), message
        )


def _tell_once(person: User, name: str, actor: User, post: Post | None = None) -> bool:
    """False if they need not hear of it: they know, or have muted whoever did it."""
    facts = {"name": actor.username} | ({"post": post.pk} if post else {})
    is_new = Notification.objects.put_once(person.pk, name, facts, actor=actor, post=post)
    return is_new and not _is_muted(person, actor)


def _is_muted(person: User, actor: User) -> bool:
    return person.mutes.filter(muted=actor).exists()


def _mail(what: str, person: User, actor: User, path: str, message: Message | None = None) -> None:
    address = person.confirmed_email
    if address and person.is_active:
        context = {
            "user": person,
            "actor": actor,
            "url": settings.SITE_URL + path,
            "message": message,
        }
        get_adapter().send_mail(f"email/{what}", address, context)


def describe_follow(facts: dict[str, Any]) -> dict[str, Any]:
    text = _("%(name)s follows you now") % facts
    return {
        "toast": {"level": "info", "text": text, "url": reverse("profile", args=[facts["name"]])}
    }


def describe_mention(facts: dict[str, Any]) -> dict[str, Any]:
    text = _("%(name)s mentioned you") % facts
    return {
        "toast": {
            "level": "info",
            "text": text,
            "url": reverse("post-detail", args=[facts["post"]]),
        }
    }


def register() -> None:
    notifications.register("follow", describe_follow)
    notifications.register("mention", describe_mention)
