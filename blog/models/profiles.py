"""Manager of users: queries for profiles and unread counts, which read the other models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.contrib.auth import models as auth_models
from django.db import connection, models, transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from .block import Block, Mute, unblocked
from .compiled_query import PK_PLACEHOLDER, TEXT_PLACEHOLDER, CompiledQuery
from .follow import Follow
from .message import Message
from .notification import Notification
from .post import Post

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from .user import User

ANONYMOUS_PK = -1  # no row has it
MAX_UNREAD = 100
MAX_RECENT_POSTS = 100  # whose authors are suggested
MAX_SUGGESTIONS = 3
SIGN_UP_RETENTION = timedelta(days=7)


class UserManager(auth_models.UserManager["User"]):
    def visible_to(self, viewer: User | AnonymousUser) -> models.QuerySet[User]:
        return self.filter(unblocked(viewer, "pk"), is_active=True)

    def with_profile(self, viewer: User | AnonymousUser) -> models.QuerySet[User]:
        """Filter the users visible to the viewer, and annotate what a profile shows.

        `posts_count`, `following_count`, `followers_count`: as many as the lists show the viewer.
        They are counted as all minus the invisible ones, who are few: checking each follower takes
        three times as long. `is_followed`, `is_muted`: by the viewer.
        """
        follows, invisible = Follow.objects.all(), self._invisible_to(viewer)
        return self.visible_to(viewer).annotate(
            posts_count=_count_by(Post.objects.filter(hidden_at=None), "author"),
            following_count=_count_by(follows, "follower")
            - _count_by(follows.filter(followed__in=invisible), "follower"),
            followers_count=_count_by(follows, "followed")
            - _count_by(follows.filter(follower__in=invisible), "followed"),
            is_followed=models.Exists(
                Follow.objects.filter(follower=viewer.pk, followed=models.OuterRef("pk"))
            ),
            is_muted=models.Exists(
                Mute.objects.filter(muter=viewer.pk, muted=models.OuterRef("pk"))
            ),
        )

    def to_follow(self, viewer: User) -> models.QuerySet[User]:
        """Filter the authors of recent posts, whom the viewer does not follow yet; at most 3."""
        recent = Post.objects.suggested_to(viewer).exclude(author=viewer.pk).newest_first()
        follows = Follow.objects.filter(follower=viewer.pk, followed=models.OuterRef("pk"))
        authors = self.filter(
            ~models.Exists(follows), pk__in=recent.values("author")[:MAX_RECENT_POSTS]
        )
        return authors.order_by(models.F("last_seen_at").desc(nulls_last=True), "pk")[
            :MAX_SUGGESTIONS
        ]

    def find_profile(self, viewer: User | AnonymousUser, username: str) -> User | None:
        """Return the user of that name, in any case, annotated as by `with_profile`."""
        viewer_pk = ANONYMOUS_PK if viewer.pk is None else viewer.pk
        return next(iter(_profile(viewer_pk, username.lower())), None)

    def _invisible_to(self, viewer: User | AnonymousUser) -> models.QuerySet[Any, Any]:
        inactive = self.filter(is_active=False).values("pk")
        if viewer.pk is None:
            return inactive
        by_viewer = Block.objects.filter(blocker=viewer.pk).values("blocked")
        return inactive.union(by_viewer, Block.objects.filter(blocked=viewer.pk).values("blocker"))

    def never_confirmed(self) -> models.QuerySet[User]:
        """Filter sign-ups older than SIGN_UP_RETENTION without confirmed address, login or posts.

        Accounts that staff create have no address before it is confirmed, so they stay.
        """
        addresses = EmailAddress.objects.filter(user=models.OuterRef("pk"))
        posts = Post.objects.filter(author=models.OuterRef("pk"))
        return self.filter(
            models.Exists(addresses),
            ~models.Exists(addresses.filter(verified=True)),
            ~models.Exists(posts),
            last_login=None,
            is_staff=False,
            is_superuser=False,
            date_joined__lt=timezone.now() - SIGN_UP_RETENTION,
        )

    def with_badges(self, pk: int) -> models.QuerySet[User]:
        """Filter the user of that key, and annotate their unread counts and `loaded_at`.

        `unread_messages`; `unread_notifications`, except new messages; both up to MAX_UNREAD.
        `loaded_at`: now, by the database's clock.
        """
        user = get_user_model()(pk=pk)
        return self.filter(pk=pk).annotate(
            loaded_at=Now(),
            unread_messages=_count_to_maximum(Message.objects.unread_for(user)),
            unread_notifications=_count_to_maximum(Notification.objects.unread_for(user)),
        )

    def find_with_badges(self, pk: int) -> User | None:
        """Return the user of that key, annotated as by `with_badges`.

        Every request of an authenticated user begins with this query.
        """
        user: Any = next(iter(_badges(pk)), None)  # Any, for its annotations
        if user is not None and connection.vendor == "sqlite":  # returns times as text in UTC
            user.loaded_at = datetime.fromisoformat(user.loaded_at).replace(tzinfo=UTC)
        return cast("User | None", user)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username__lower=(username or "").lower())

    def create_superuser(
        self,
        username: str,
        email: str | None = None,
        password: str | None = None,
        **extra_fields: Any,
    ) -> User:
        with transaction.atomic():
            user = super().create_superuser(username, email, password, **extra_fields)
            user.confirm_email()  # an administrator with a shell vouches for the address
        return user


def _count_by(queryset: models.QuerySet[Any], field: str) -> Coalesce:
    # Grouping by the field lets the database count in an index alone.
    rows = queryset.filter(**{field: models.OuterRef("pk")}).order_by().values(field)
    return Coalesce(models.Subquery(rows.values(count=models.Count("pk"))), 0)


def _count_to_maximum(queryset: models.QuerySet[Any]) -> models.Func:
    """Count rows, but stop at MAX_UNREAD: pages show "99+", and 50,000 rows would delay each."""
    rows = queryset.order_by().values("pk")[:MAX_UNREAD]
    return models.Func(
        models.Subquery(rows),
        template="(SELECT COUNT(*) FROM %(expressions)s AS unread)",
        output_field=models.IntegerField(),
    )


def _profile_query(viewer_pk: int, username: str) -> models.QuerySet[User]:
    users = get_user_model()
    return users.objects.with_profile(users(pk=viewer_pk)).filter(username__lower=username)


def _badges_query(pk: int) -> models.QuerySet[User]:
    return get_user_model().objects.with_badges(pk)


_profile = CompiledQuery(_profile_query, PK_PLACEHOLDER, TEXT_PLACEHOLDER)
_badges = CompiledQuery(_badges_query, PK_PLACEHOLDER)
