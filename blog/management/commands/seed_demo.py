from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries, transaction

from blog.management import demo_data as demo
from blog.management.progress_bar import ProgressBar
from blog.models import Conversation, Follow, Message, Notification, Post, User

CHUNK_POSTS = 5000


class Command(BaseCommand):
    help = "Make demo people, posts and messages; the same arguments make the same data, and a second run adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--users",
            type=_at_least(1),
            default=12,
            help="people who write (12); with 1, `demo` writes every post",
        )
        parser.add_argument(
            "--posts",
            type=_at_least(0),
            default=3000,
            help="posts in all (3000); half are by `demo`",
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="another number makes other posts (1)"
        )
        parser.add_argument(
            "--password", default="microblog-demo", help="of all new people (microblog-demo)"
        )
        parser.add_argument("--force", action="store_true", help="run although DEBUG is off")

    def handle(
        self, *, users: int, posts: int, seed: int, password: str, force: bool, **options: Any
    ) -> None:
        if not (settings.DEBUG or force):
            raise CommandError(
                "DEBUG is off, and this would add people whose password everybody knows. Use --force to do it here."
            )
        hashed = make_password(password)
        writers = demo.people(users)
        made = sum(
            self._add_person(person, hashed) for person in [*writers, demo.EMPTY, demo.STAFF]
        )
        self._add_follows(writers)
        self._add_news()
        self._add_talks()
        added = self._add_posts(dict(zip(writers, demo.shares(users, posts), strict=True)), seed)
        if made or added:
            self.stdout.write(f"Added {made:,} people and {added:,} posts.")
        else:
            self.stdout.write("Nothing to add: these people and their posts are there already.")
        self._print_sign_ins(password)

    def _add_person(self, person: demo.Person, hashed: str) -> bool:
        """Whether the person is new. An account of that name stays as it is, password and all."""
        if User.objects.filter(username__lower=person.username.lower()).exists():
            return False
        with transaction.atomic():
            user = User.objects.create(
                username=person.username,
                email=f"{person.username.lower()}@example.com",
                password=hashed,
                about_me=person.about_me,
                language=person.language,
                is_staff=person.is_staff,
                is_superuser=person.is_staff,
                date_joined=demo.LATEST - demo.LONGEST_HISTORY,
            )
            user.confirm_email()
        return True

    def _add_follows(self, writers: list[demo.Person]) -> None:
        names = [person.username.lower() for person in writers]
        people = {
            user.username.lower(): user for user in User.objects.filter(username__lower__in=names)
        }
        pairs = [
            (people[a.username.lower()], people[b.username.lower()])
            for a, b in demo.follows(writers)
        ]
        follows = [Follow(follower=a, followed=b, created_at=demo.LATEST) for a, b in pairs]
        Follow.objects.bulk_create(follows, batch_size=CHUNK_POSTS, ignore_conflicts=True)

    def _add_news(self) -> None:
        me = _author(demo.DEMO)
        for follower in User.objects.filter(following__followed=me).order_by("pk"):
            Notification.objects.create_once(
                me.pk, f"follow:{follower.pk}", {"name": follower.username}, actor=follower
            )

    def _add_talks(self) -> None:
        me = _author(demo.DEMO)
        for other in User.objects.filter(username__in=demo.TALKS):
            conversation = Conversation.objects.get_or_create_between(me, other)
            if not conversation.messages.exists():
                Message.objects.bulk_create(_talk(conversation, me, other))
                conversation.participants.update(last_message_at=demo.LATEST)

    def _add_posts(self, shares: dict[demo.Person, int], seed: int) -> int:
        """Bring each person's posts up to their share; how many were added."""
        plan = [(_author(person), share) for person, share in shares.items()]
        missing = [(author, share, author.posts.count()) for author, share in plan]
        total = sum(max(0, share - there) for _, share, there in missing)
        if not total:
            return 0
        with ProgressBar(self.stderr, "posts", total) as bar:
            for author, share, there in missing:
                for chunk in _chunks(author, share, there, seed):
                    Post.objects.bulk_create(chunk)
                    reset_queries()  # with DEBUG on, Django keeps the text of the last 9,000 statements
                    bar.advance(bar.done + len(chunk))
        return total

    def _print_sign_ins(self, password: str) -> None:
        self.stdout.write("Sign in as:")
        for person, about in (
            (demo.DEMO, "writes most"),
            (demo.EMPTY, "has written nothing"),
            (demo.STAFF, "may use the admin"),
        ):
            user = _author(person)
            secret = password if user.check_password(password) else "(the password it already had)"
            self.stdout.write(f"  {user.username:<6} {secret}  {about}")


def _author(person: demo.Person) -> User:
    return User.objects.get_by_natural_key(person.username)


def _talk(conversation: Conversation, me: User, other: User) -> Iterator[Message]:
    """One message an hour; all but the last have been read."""
    talk = demo.TALKS[other.username]
    for age, (is_mine, body) in zip(reversed(range(len(talk))), talk, strict=True):
        sender, recipient = (me, other) if is_mine else (other, me)
        said_at = demo.LATEST - timedelta(hours=age)
        read_at = said_at + timedelta(minutes=1) if age else None
        yield Message(
            conversation=conversation,
            sender=sender,
            recipient=recipient,
            body=body,
            created_at=said_at,
            read_at=read_at,
        )


def _chunks(author: User, share: int, there: int, seed: int) -> Iterator[list[Post]]:
    """The author's posts from number `there` on, where an earlier run stopped."""
    texts = islice(demo.texts(author.username, share, seed), there, None)
    posts = (Post(author=author, body=text.body, created_at=text.created_at) for text in texts)
    while chunk := list(islice(posts, CHUNK_POSTS)):
        yield chunk


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text} is not a number from {least} up")
        return int(text)

    return number
