from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from blog.management import demo_data as demo
from blog.models import MAX_POST_LENGTH, Follow, Message, Post, User

pytestmark = pytest.mark.django_db


def seed(**options: Any) -> str:
    out = StringIO()
    call_command("seed_demo", force=True, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def all_posts() -> list[tuple[Any, ...]]:
    return list(Post.objects.oldest_first().values_list("author__username", "body", "created_at"))


def test_seed_creates_users_with_known_password() -> None:
    output = seed(users=3, posts=20)
    assert "demo   microblog-demo" in output
    assert User.objects.count() == 5
    assert all(user.check_password("microblog-demo") for user in User.objects.all())
    assert all(user.confirmed_email == user.email for user in User.objects.all())
    assert not User.objects.get(username="empty").posts.exists()
    assert list(User.objects.filter(is_superuser=True).values_list("username", flat=True)) == [
        "staff"
    ]


def test_single_user_gets_all_posts() -> None:
    seed(users=1, posts=31)
    assert User.objects.get(username="demo").posts.count() == Post.objects.count() == 31


@pytest.mark.parametrize(("authors", "posts"), [(2, 7), (5, 1000), (40, 3), (1, 0)])
def test_post_counts_add_up_and_demo_has_half(authors: int, posts: int) -> None:
    counts = demo.post_counts(authors, posts)
    assert len(counts) == authors
    assert sum(counts) == posts
    assert counts[0] == (posts - posts // 2 if authors > 1 else posts)
    assert counts[1:] == sorted(counts[1:], reverse=True)
    assert min(counts) >= 0


def test_many_users_have_unique_valid_names() -> None:
    seed(users=40, posts=0)
    assert User.objects.count() == 42
    for user in User.objects.all():
        user.full_clean()


def test_second_run_changes_nothing() -> None:
    seed(users=2, posts=30)
    before = all_posts(), *(list(model.objects.values()) for model in (User, Follow, Message))
    assert "Nothing to add" in seed(users=2, posts=30)
    assert (
        all_posts(),
        *(list(model.objects.values()) for model in (User, Follow, Message)),
    ) == before


def test_seed_creates_follows() -> None:
    seed(users=20, posts=0)
    demo_user = User.objects.get(username="demo")
    assert demo_user.following.count() == len(demo.OTHERS)
    assert User.objects.get(username="reader20").following.count() == 5


def test_seed_creates_conversations_with_unread_messages() -> None:
    seed(users=4, posts=0)
    demo_user = User.objects.get(username="demo")
    assert demo_user.conversations.count() == len(demo.CONVERSATIONS)
    assert demo_user.received_messages.unread().count() == 2
    assert demo_user.sent_messages.unread().count() == 1


def test_same_seed_creates_same_posts() -> None:
    seed(users=2, posts=120)
    first = all_posts()
    Post.objects.all().delete()
    seed(users=2, posts=120)
    assert all_posts() == first
    Post.objects.all().delete()
    seed(users=2, posts=120, seed=2)
    assert all_posts() != first


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def set_today(moment: datetime) -> None:
        monkeypatch.setattr(timezone, "now", lambda: moment)

    return set_today


def newest_times() -> list[datetime]:
    return [
        Post.objects.newest_first()[0].created_at,
        Message.objects.latest("created_at").created_at,
        Follow.objects.latest("created_at").created_at,
    ]


def test_demo_data_ends_today_without_future_times() -> None:
    started_at = timezone.now()
    seed(users=2, posts=300)
    assert all(
        started_at - timedelta(hours=36) < created_at <= timezone.now()
        for created_at in newest_times()
    )
    assert max(User.objects.values_list("date_joined", flat=True)) < started_at


def test_demo_data_changes_only_with_the_day(today: Callable[[datetime], None]) -> None:
    morning, evening, next_day = (
        _posts_seeded_at(today, moment)
        for moment in (
            datetime(2028, 2, 29, tzinfo=UTC),
            datetime(2028, 2, 29, 23, 59, tzinfo=UTC),
            datetime(2028, 3, 1, tzinfo=UTC),
        )
    )
    assert morning == evening
    assert morning[-1][-1] <= datetime(2028, 2, 29, tzinfo=UTC)
    assert next_day == [
        (author, body, created_at + timedelta(days=1)) for author, body, created_at in morning
    ]


def _posts_seeded_at(today: Callable[[datetime], None], moment: datetime) -> list[tuple[Any, ...]]:
    today(moment)
    Post.objects.all().delete()
    seed(users=2, posts=120)
    return all_posts()


def test_second_run_on_later_day_changes_nothing(today: Callable[[datetime], None]) -> None:
    today(datetime(2027, 5, 1, 12, tzinfo=UTC))
    seed(users=2, posts=30)
    before = all_posts()
    today(datetime(2027, 5, 9, 12, tzinfo=UTC))
    assert "Nothing to add" in seed(users=2, posts=30)
    assert all_posts() == before


def test_interrupted_run_is_completed() -> None:
    seed(users=1, posts=60)
    expected = all_posts()
    Post.objects.filter(pk__in=Post.objects.newest_first()[:25]).delete()
    seed(users=1, posts=60)
    assert all_posts() == expected


def test_existing_account_keeps_its_password() -> None:
    User.objects.create_user("Demo", "demo@example.com", "my own password")
    assert "demo   microblog-demo" not in seed(users=1, posts=1)
    user = User.objects.get(username__lower="demo")
    assert user.check_password("my own password")
    assert user.posts.count() == 1


def test_generated_posts_are_valid_and_include_edge_cases() -> None:
    posts = list(
        demo.generate_posts("demo", demo.EDGE_CASE_INTERVAL * len(demo.EDGE_CASES), seed=1)
    )
    assert {post.body for post in posts} >= set(demo.EDGE_CASES)
    assert all(0 < len(post.body) <= MAX_POST_LENGTH and "\0" not in post.body for post in posts)


def test_generated_timestamps_are_ordered_with_mixed_precision() -> None:
    times = [post.created_at for post in demo.generate_posts("demo", 500, seed=1)]
    assert times == sorted(times)
    assert times[-1] < demo.latest_end()
    assert any(at.microsecond == 0 for at in times)
    assert any(at.microsecond % 1000 for at in times)
    assert len(set(times)) < len(times)


def test_seed_refuses_to_run_without_debug() -> None:
    with pytest.raises(CommandError, match="--force"):
        call_command("seed_demo")
    assert not User.objects.exists()


@pytest.mark.parametrize("argument", ["--users=0", "--posts=-1", "--posts=many"])
def test_invalid_numbers_are_rejected(argument: str) -> None:
    with pytest.raises(CommandError, match="is not a number"):
        call_command("seed_demo", "--force", argument)
