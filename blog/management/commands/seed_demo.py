from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries, transaction

from blog.management import demo_data as demo
from blog.management.progress_bar import ProgressBar
from blog.models import Conversation, Follow, Message, Notification, Post, User

BATCH_SIZE = 5000


class Command(BaseCommand):
    help = (
        "Add demo users, posts and messages of the years until today. On the same day the same"
        " arguments create the same data; a second run adds nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--users",
            type=_at_least(1),
            default=12,
            help="users who write posts (default: 12); with 1, `demo` writes all of them",
        )
        parser.add_argument(
            "--posts",
            type=_at_least(0),
            default=3000,
            help="total number of posts (default: 3000); `demo` writes half of them",
        )
        parser.add_argument("--seed", type=int, default=1, help="random seed (default: 1)")
        parser.add_argument(
            "--password",
            default="microblog-demo",
            help="password for new users (default: microblog-demo)",
        )
        parser.add_argument("--force", action="store_true", help="run even if DEBUG is off")

    def handle(
        self, *, users: int, posts: int, seed: int, password: str, force: bool, **options: Any
    ) -> None:
        if not (settings.DEBUG or force):
            raise CommandError(
                "Refusing to run with DEBUG off: this adds users with a well-known password."
                " Use --force to override."
            )
        self._end = demo.latest_end()
        password_hash = make_password(password)
        authors = demo.authors(users)
        users_added = sum(
            self._add_user(user, password_hash) for user in [*authors, demo.EMPTY, demo.STAFF]
        )
        self._add_follows(authors)
        self._add_follow_notifications()
        self._add_conversations()
        post_counts = dict(zip(authors, demo.post_counts(users, posts), strict=True))
        posts_added = self._add_posts(post_counts, seed)
        if users_added or posts_added:
            self.stdout.write(f"Added {users_added:,} users and {posts_added:,} posts.")
        else:
            self.stdout.write("Nothing to add: all demo users and posts exist.")
        self._print_logins(password)

    def _add_user(self, demo_user: demo.DemoUser, password_hash: str) -> bool:
        """Create a user unless the username exists. Return whether the user is new."""
        if User.objects.filter(username__lower=demo_user.username.lower()).exists():
            return False
        with transaction.atomic():
            user = User.objects.create(
                username=demo_user.username,
                email=f"{demo_user.username.lower()}@example.com",
                password=password_hash,
                about_me=demo_user.about_me,
                language=demo_user.language,
                is_staff=demo_user.is_staff,
                is_superuser=demo_user.is_staff,
                date_joined=self._end - demo.MAX_HISTORY,
            )
            user.confirm_email()
        return True

    def _add_follows(self, authors: list[demo.DemoUser]) -> None:
        names = [author.username.lower() for author in authors]
        users = {
            user.username.lower(): user for user in User.objects.filter(username__lower__in=names)
        }
        follows = [
            Follow(
                follower=users[follower.username.lower()],
                followed=users[followed.username.lower()],
                created_at=self._end,
            )
            for follower, followed in demo.follow_pairs(authors)
        ]
        Follow.objects.bulk_create(follows, batch_size=BATCH_SIZE, ignore_conflicts=True)

    def _add_follow_notifications(self) -> None:
        owner = _find_user(demo.DEMO)
        for follower in User.objects.filter(following__followed=owner).order_by("pk"):
            Notification.objects.create_once(
                owner.pk, f"follow:{follower.pk}", {"name": follower.username}, actor=follower
            )

    def _add_conversations(self) -> None:
        owner = _find_user(demo.DEMO)
        for other in User.objects.filter(username__in=demo.CONVERSATIONS):
            conversation = Conversation.objects.get_or_create_between(owner, other)
            if not conversation.messages.exists():
                Message.objects.bulk_create(_messages(conversation, owner, other, self._end))
                conversation.participants.update(last_message_at=self._end)

    def _add_posts(self, post_counts: dict[demo.DemoUser, int], seed: int) -> int:
        """Add each author's missing posts. Return how many were added."""
        missing = []
        for demo_user, count in post_counts.items():
            author = _find_user(demo_user)
            missing.append((author, count, author.posts.count()))
        total = sum(max(0, count - existing) for _, count, existing in missing)
        if not total:
            return 0
        with ProgressBar(self.stderr, "posts", total) as bar:
            for author, count, existing in missing:
                posts = demo.generate_posts(author.username, count, seed=seed, end=self._end)
                for batch in _post_batches(author, islice(posts, existing, None)):
                    Post.objects.bulk_create(batch)
                    reset_queries()  # with DEBUG on, Django would keep the last 9,000 statements
                    bar.set_done(bar.done + len(batch))
        return total

    def _print_logins(self, password: str) -> None:
        self.stdout.write("Sign in as:")
        for demo_user, description in (
            (demo.DEMO, "has most of the posts"),
            (demo.EMPTY, "has no posts"),
            (demo.STAFF, "can use the admin"),
        ):
            user = _find_user(demo_user)
            shown = password if user.check_password(password) else "(existing password)"
            self.stdout.write(f"  {user.username:<6} {shown}  {description}")


def _find_user(demo_user: demo.DemoUser) -> User:
    return User.objects.get_by_natural_key(demo_user.username)


def _messages(
    conversation: Conversation, owner: User, other: User, end: datetime
) -> Iterator[Message]:
    """Generate one message an hour until `end`; all but the last are read."""
    messages = demo.CONVERSATIONS[other.username]
    for age, (is_own, body) in zip(reversed(range(len(messages))), messages, strict=True):
        sender, recipient = (owner, other) if is_own else (other, owner)
        created_at = end - timedelta(hours=age)
        yield Message(
            conversation=conversation,
            sender=sender,
            recipient=recipient,
            body=body,
            created_at=created_at,
            read_at=created_at + timedelta(minutes=1) if age else None,
        )


def _post_batches(author: User, demo_posts: Iterator[demo.DemoPost]) -> Iterator[list[Post]]:
    posts = (Post(author=author, body=post.body, created_at=post.created_at) for post in demo_posts)
    while batch := list(islice(posts, BATCH_SIZE)):
        yield batch


def _at_least(minimum: int) -> Callable[[str], int]:
    """Return an argument type for integers from `minimum`."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < minimum:
            raise ArgumentTypeError(f"{text} is not a number of at least {minimum}")
        return int(text)

    return number
