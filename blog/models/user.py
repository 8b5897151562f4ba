"""People, and what a page says of one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import available_timezones

from allauth.account.models import EmailAddress
from django.contrib.auth.models import AbstractUser, UserManager
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, RegexValidator
from django.db import models, transaction
from django.db.models.functions import Coalesce, Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ..paths import path_to
from .compiled_query import Prepared

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

NOBODY = -1  # a key that no row has
SIGN_UP_KEPT = timedelta(days=7)

USERNAME_VALIDATORS = [
    RegexValidator(
        r"\A[A-Za-z0-9_.-]+\Z",
        _("Use letters from a to z, digits, dots, hyphens and underscores only."),
        "username",
    )
]

# `username__lower=` is the form that the unique index on Lower("username") serves.
models.CharField.register_lookup(Lower)


time_zones = cache(available_timezones)  # which reads the disk


def validate_time_zone(name: str) -> None:
    if name not in time_zones():
        raise ValidationError(
            _("“%(name)s” is not a time zone that we know."), code="zone", params={"name": name}
        )


def _count(rows: models.QuerySet[Any], person: str) -> Coalesce:
    """How many of the rows lead to the person of the outer query, read from an index alone."""
    theirs = rows.filter(**{person: models.OuterRef("pk")}).order_by().values(person)
    return Coalesce(models.Subquery(theirs.values(count=models.Count("pk"))), 0)


def confirmed_emails(whose: User | models.OuterRef) -> models.QuerySet[EmailAddress, str]:
    """The address that somebody has shown to be theirs; none or one."""
    confirmed: models.QuerySet[EmailAddress] = EmailAddress.objects.filter(
        user=whose, verified=True, primary=True
    )
    return confirmed.values_list("email", flat=True)


class PersonManager(UserManager["User"]):
    def visible_to(self, viewer: User | AnonymousUser) -> models.QuerySet[User]:
        """Whoever has an open account, and neither blocked the viewer nor is blocked by them."""
        from .block import unblocked

        return self.filter(unblocked(viewer, "pk"), is_active=True)

    def described(self, viewer: User | AnonymousUser) -> models.QuerySet[User]:
        """Those visible to the viewer, with what their profile says of them.

        `posts_count`, `following_count`, `followers_count`: as many as the lists show the viewer, counted as all less
        the hidden ones, who are few: to look at each follower takes three times as long. `is_followed`, `is_muted`:
        whether the viewer does.
        """
        from .block import Mute
        from .follow import Follow
        from .post import Post

        follows, hidden = Follow.objects.all(), self._hidden_from(viewer)
        return self.visible_to(viewer).annotate(
            posts_count=_count(Post.objects.filter(hidden_at=None), "author"),
            following_count=_count(follows, "follower")
            - _count(follows.filter(followed__in=hidden), "follower"),
            followers_count=_count(follows, "followed")
            - _count(follows.filter(follower__in=hidden), "followed"),
            is_followed=models.Exists(
                Follow.objects.filter(follower=viewer.pk, followed=models.OuterRef("pk"))
            ),
            is_muted=models.Exists(
                Mute.objects.filter(muter=viewer.pk, muted=models.OuterRef("pk"))
            ),
        )

    def shown(self, viewer: User | AnonymousUser, username: str) -> User | None:
        """The person of that name, in whatever case, as `described`; None where the viewer may see none."""
        key = NOBODY if viewer.pk is None else viewer.pk
        return next(iter(_described(key, username.lower())), None)

    def _hidden_from(self, viewer: User | AnonymousUser) -> models.QuerySet[Any, Any]:
        """The keys of all who are not `visible_to` the viewer."""
        from .block import Block

        closed = self.filter(is_active=False).values("pk")
        if viewer.pk is None:
            return closed
        by_viewer = Block.objects.filter(blocker=viewer.pk).values("blocked")
        return closed.union(by_viewer, Block.objects.filter(blocked=viewer.pk).values("blocker"))

    def never_confirmed(self) -> models.QuerySet[User]:
        """Sign-ups that have had their time, and whose address nobody has confirmed; nothing hangs on them."""
        from .post import Post

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

    def with_unread(self, pk: int) -> models.QuerySet[User]:
        """The person of that key, with what their badges count, and `asked_at`: now, by the database.

        `unread_messages`; `unread_notifications`, but for those that only say that there are messages.
        """
        from .message import Message
        from .notification import Notification

        person = User(pk=pk)
        return self.filter(pk=pk).annotate(
            asked_at=Now(),
            unread_messages=_count(Message.objects.announced_to(person), "recipient"),
            unread_notifications=_count(Notification.objects.announced_to(person), "user"),
        )

    def signed_in(self, pk: int) -> User | None:
        """The person of that key, as `with_unread` finds them; None where there is none.

        Every request of theirs begins with this.
        """
        for person in _with_unread(pk):
            asked_at = vars(person)["asked_at"]
            if isinstance(asked_at, str):  # as SQLite tells it: in UTC
                vars(person)["asked_at"] = datetime.fromisoformat(asked_at).replace(tzinfo=UTC)
            return person
        return None

    def get_by_natural_key(self, username: str | None) -> User:
        """The person of that name, in whatever case it was typed."""
        return self.get(username__lower=(username or "").lower())

    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra_fields: Any,
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
    about_me = models.TextField(
        _("about me"), max_length=280, blank=True, validators=[MaxLengthValidator(280)]
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("Empty: whatever the browser asks for."),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Empty: the browser's own."),
    )
    has_follow_mail = models.BooleanField(
        _("mail about new followers"), default=False, db_default=False
    )
    has_mention_mail = models.BooleanField(
        _("mail about mentions"), default=False, db_default=False
    )
    has_message_mail = models.BooleanField(_("mail about messages"), default=True, db_default=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True, editable=False)

    objects: ClassVar[PersonManager] = PersonManager()

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="blog_user_username",
                violation_error_message=_("This name is taken."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="blog_user_email",
                violation_error_message=_("This address belongs to another account."),
            ),
        ]
        indexes = [
            # Closed accounts, which no count of followers has in it.
            models.Index(
                fields=["id"], condition=models.Q(is_active=False), name="blog_user_closed"
            )
        ]

    def get_absolute_url(self) -> str:
        return path_to("profile", self.username)

    @property
    def confirmed_email(self) -> str | None:
        """The address that the person has shown to be theirs, at this moment; None where there is none."""
        return confirmed_emails(self).first()

    def confirm_email(self) -> None:
        """Count the account's address as confirmed, in the place of any other."""
        with transaction.atomic():
            EmailAddress.objects.filter(user=self).delete()
            if self.email:
                EmailAddress.objects.create(
                    user=self, email=self.email.lower(), verified=True, primary=True
                )


_with_unread = Prepared(lambda pk: User.objects.with_unread(pk), NOBODY)
_described = Prepared(
    lambda pk, name: User.objects.described(User(pk=pk)).filter(username__lower=name), NOBODY, ""
)
