"""People, what they write, and what the site has to tell them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar
from zoneinfo import available_timezones

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import AbstractUser, AnonymousUser, UserManager
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator, RegexValidator
from django.db import models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce, Lower, Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from . import timeline
from .paging import PAGE_SIZE, read_cursor

POST_LENGTH = 280  # characters as Python counts them: Unicode code points
SIGN_UP_KEPT = timedelta(days=7)

USERNAME_VALIDATORS = [
    RegexValidator(
        r"\A[A-Za-z0-9_.-]+\Z", _("Use letters from a to z, digits, dots, hyphens and underscores only."), "username"
    )
]

# `username__lower=` is the form that the unique index on Lower("username") serves.
models.CharField.register_lookup(Lower)


time_zones = cache(available_timezones)  # which reads the disk


def validate_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError(_("“%(name)s” is not a time zone that we know."), code="zone", params={"name": name})


def _count(rows: models.QuerySet[Any], person: str) -> Coalesce:
    """How many of the rows lead to the person of the outer query, read from an index alone."""
    theirs = rows.filter(**{person: models.OuterRef("pk")}).order_by().values(person)
    return Coalesce(models.Subquery(theirs.values(count=models.Count("pk"))), 0)


class PersonManager(UserManager["User"]):
    def described(self, viewer: User | AnonymousUser) -> models.QuerySet[User]:
        """With `posts_count`, `following_count`, `followers_count`, and `is_followed`: whether the viewer does."""
        return self.annotate(
            posts_count=_count(Post.objects.all(), "author"),
            following_count=_count(Follow.objects.all(), "follower"),
            followers_count=_count(Follow.objects.all(), "followed"),
            is_followed=models.Exists(Follow.objects.filter(follower=viewer.pk, followed=models.OuterRef("pk"))),
        )

    def never_confirmed(self) -> models.QuerySet[User]:
        """Sign-ups that have had their time, and whose address nobody has confirmed; nothing hangs on them."""
        addresses = EmailAddress.objects.filter(user=models.OuterRef("pk"))
        posts = Post.objects.filter(author=models.OuterRef("pk"))
        return self.filter(
            models.Exists(addresses),  # which staff give people only together with its confirmation
            ~models.Exists(addresses.filter(verified=True)),
            ~models.Exists(posts),
            last_login=None,
            is_staff=False,
            is_superuser=False,
            date_joined__lt=timezone.now() - SIGN_UP_KEPT,
        )

    def get_by_natural_key(self, username: str | None) -> User:
        """The person of that name, in whatever case it was typed."""
        return self.get(username__lower=(username or "").lower())

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra_fields: Any
    ) -> User:
        """An all-powerful person whose address counts as confirmed: whoever has the server's shell vouches for it."""
        with transaction.atomic():
            user = super().create_superuser(username, email, password, **extra_fields)
            user.confirm_email()
        return user


class User(AbstractUser):
    """A person. Names are ASCII, so that two that look the same are the same."""

    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    username = models.CharField(
        _("username"),
        max_length=64,
        unique=True,
        validators=USERNAME_VALIDATORS,
        help_text=_("Letters from a to z, digits, dots, hyphens and underscores; 64 at most."),
        error_messages={"unique": _("This name is taken.")},
    )
    about_me = models.TextField(_("about me"), max_length=280, blank=True, validators=[MaxLengthValidator(280)])
    language = models.CharField(
        _("language"), max_length=10, blank=True, help_text=_("Empty: whatever the browser asks for.")
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Empty: the browser's own."),
    )
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True, editable=False)

    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("username"), name="blog_user_username", violation_error_message=_("This name is taken.")
            ),
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="blog_user_email",
                violation_error_message=_("This address belongs to another account."),
            ),
        ]

    def get_absolute_url(self) -> str:
        return reverse("profile", args=[self.username])

    @property
    def confirmed_email(self) -> str | None:
        """The address that the person has shown to be theirs, at this moment; None where there is none."""
        confirmed = EmailAddress.objects.filter(user=self, verified=True, primary=True)
        address: str | None = confirmed.values_list("email", flat=True).first()
        return address

    def confirm_email(self) -> None:
        """Count the account's address as confirmed, in the place of any other."""
        with transaction.atomic():
            EmailAddress.objects.filter(user=self).delete()
            if self.email:
                EmailAddress.objects.create(user=self, email=self.email.lower(), verified=True, primary=True)


class PostQuerySet(models.QuerySet["Post"]):
    def followed_by(self, reader: User, before: str | None, size: int = PAGE_SIZE) -> PostQuerySet:
        """A page, and one more, of what the reader and whom they follow have written, newest first after the cursor."""
        sql, parameters = timeline.query(reader.pk, read_cursor(before, Post), size + 1)
        return self.filter(pk__in=RawSQL(sql, parameters)).newest_first()  # noqa: S611 - parameters are bound

    def newest_first(self) -> PostQuerySet:
        return self.order_by("-created_at", "-id")

    def oldest_first(self) -> PostQuerySet:
        """The order of an archive."""
        return self.order_by("created_at", "id")


class Post(models.Model):
    """A short text by one person."""

    author = models.ForeignKey(User, models.CASCADE, related_name="posts", db_index=False, verbose_name=_("author"))
    body = models.CharField(_("text"), max_length=POST_LENGTH, validators=[ProhibitNullCharactersValidator()])
    # Python's clock, because SQLite's own has milliseconds only.
    created_at = models.DateTimeField(_("written at"), default=timezone.now, editable=False)
    edited_at = models.DateTimeField(_("edited at"), null=True, blank=True, editable=False)

    mentions: Mapping[str, str] = MappingProxyType({})
    """Names that the text may mention and that exist, once `mentions.attach` has looked."""

    objects = PostQuerySet.as_manager()

    class Meta:
        verbose_name = _("post")
        verbose_name_plural = _("posts")
        indexes = [
            # One author's posts: the archive reads it forwards, the profile and the timeline backwards.
            models.Index(fields=["author", "created_at", "id"], name="blog_post_author"),
            # Everyone's newest posts: the explore page.
            models.Index(fields=["-created_at", "-id"], name="blog_post_newest"),
        ]

    def __str__(self) -> str:
        return self.body if len(self.body) <= 50 else f"{self.body[:49]}…"

    def get_absolute_url(self) -> str:
        return reverse("post-detail", args=[self.pk])


class Follow(models.Model):
    """One person reads another."""

    follower = models.ForeignKey(
        User, models.CASCADE, related_name="following", db_index=False, verbose_name=_("follower")
    )
    followed = models.ForeignKey(
        User, models.CASCADE, related_name="followers", db_index=False, verbose_name=_("followed")
    )
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("follow")
        verbose_name_plural = _("follows")
        constraints = [
            # Its index also says whom somebody follows: the timeline reads nothing else of this table.
            models.UniqueConstraint(fields=["follower", "followed"], name="blog_follow_once"),
            models.CheckConstraint(condition=~models.Q(follower=models.F("followed")), name="blog_follow_not_self"),
        ]
        indexes = [
            # Whom somebody follows, newest first, and how many they are.
            models.Index(fields=["follower", "created_at", "id"], name="blog_follow_following"),
            # Who follows somebody, newest first, and how many they are.
            models.Index(fields=["followed", "created_at", "id"], name="blog_follow_followers"),
        ]

    def __str__(self) -> str:
        return f"{self.follower} → {self.followed}"


class NotificationQuerySet(models.QuerySet["Notification"]):
    def put(self, user_id: int, name: str, payload: dict[str, Any]) -> None:
        """Tell the person; what they were told before under the same name is replaced, and unread again."""
        self.bulk_create(
            [Notification(user_id=user_id, name=name, payload=payload, updated_at=Now(), read_at=None)],
            update_conflicts=True,
            unique_fields=["user", "name"],
            update_fields=["payload", "updated_at", "read_at"],
        )

    def unread(self) -> NotificationQuerySet:
        return self.filter(read_at=None)

    def mark_read(self) -> None:
        # Looked for first: on SQLite even an UPDATE of nothing waits for every other writer.
        if self.unread().exists():
            self.unread().update(read_at=Now())


class Notification(models.Model):
    """What the site last told a person under one name, such as `export:<id>`; `blog.notifications` has the words."""

    user = models.ForeignKey(User, models.CASCADE, related_name="notifications", db_index=False)
    name = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    updated_at = models.DateTimeField(db_default=Now())
    read_at = models.DateTimeField(null=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="blog_notification_name")]
        indexes = [
            # What changed for this person since they last asked.
            models.Index(fields=["user", "updated_at"], name="blog_notification_recent")
        ]

    def __str__(self) -> str:
        return self.name


MAIL_LEASE = timedelta(minutes=1)  # longer than a mail server is waited for
MAIL_LONGEST_PAUSE = timedelta(hours=1)
MAIL_KEPT = timedelta(days=1)


def a_lease_from_now() -> datetime:
    return timezone.now() + MAIL_LEASE


class AccountMailQuerySet(models.QuerySet["AccountMail"]):
    def due(self) -> AccountMailQuerySet:
        """Those that somebody should have sent by now."""
        return self.filter(next_try_at__lte=timezone.now())

    def stale(self) -> AccountMailQuerySet:
        """Those that nobody waits for any more."""
        return self.filter(created_at__lt=timezone.now() - MAIL_KEPT)


class AccountMail(models.Model):
    """A mail about somebody's account, already put into words. The row is gone as soon as the mail is.

    It holds links that open an account, so that the queue, which staff can look into, does not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="account_mails", null=True)
    to = models.EmailField()
    subject = models.CharField(max_length=255)
    text = models.TextField()
    html = models.TextField()
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=a_lease_from_now)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountMailQuerySet.as_manager()

    class Meta:
        # The sweeper: mails that did not go out.
        indexes = [models.Index(fields=["next_try_at"], name="blog_accountmail_due")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def job_id(self) -> str:
        return f"account-mail-{self.pk}-{self.tries}"

    @property
    def message_id(self) -> str:
        """The same for every try, so that a mailbox can tell a repetition."""
        return f"<{self.pk}@{settings.SITE_HOST}>"

    def claim(self) -> bool:
        """Take the next try, and leave the one after it to the sweeper; False if somebody else has taken it."""
        pause = min(MAIL_LEASE * 2**self.tries, MAIL_LONGEST_PAUSE)
        return self._move(tries=self.tries + 1, next_try_at=timezone.now() + pause)

    def put_off(self) -> bool:
        """Let the sweeper leave a mail alone that it has just put on the queue."""
        return self._move(next_try_at=a_lease_from_now())

    def _move(self, **changes: Any) -> bool:
        """Change the row as long as no other try has begun."""
        return type(self).objects.filter(pk=self.pk, tries=self.tries).update(**changes) == 1
