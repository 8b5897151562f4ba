from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from blog.management import demo_data as demo
from blog.models import MAX_POST_LENGTH, Follow, Message, Post, User

pytestmark = pytest.mark.django_db


def seed(**options: Any) -> str:
    out = StringIO()
    call_command("seed_demo", force=True, stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def written() -> list[tuple[Any, ...]]:
    return list(Post.objects.oldest_first().values_list("author__username", "body", "created_at"))


def test_it_makes_the_people_who_sign_in() -> None:
    output = seed(users=3, posts=20)
    assert "demo   microblog-demo" in output
    assert User.objects.count() == 5
    assert all(user.check_password("microblog-demo") for user in User.objects.all())
    assert all(user.confirmed_email == user.email for user in User.objects.all())
    assert not User.objects.get(username="empty").posts.exists()
    assert list(User.objects.filter(is_superuser=True).values_list("username", flat=True)) == [
        "staff"
    ]


def test_one_user_writes_every_post() -> None:
    seed(users=1, posts=31)
    assert User.objects.get(username="demo").posts.count() == Post.objects.count() == 31


@pytest.mark.parametrize(("people", "posts"), [(2, 7), (5, 1000), (40, 3), (1, 0)])
def test_shares_add_up_and_demo_has_half(people: int, posts: int) -> None:
    shares = demo.shares(people, posts)
    assert len(shares) == people
    assert sum(shares) == posts
    assert shares[0] == (posts - posts // 2 if people > 1 else posts)
    assert shares[1:] == sorted(shares[1:], reverse=True)
    assert min(shares) >= 0


def test_many_users_have_different_valid_names() -> None:
    seed(users=40, posts=0)
    assert User.objects.count() == 42
    for user in User.objects.all():
        user.full_clean()


def test_a_second_run_changes_nothing_and_says_so() -> None:
    seed(users=2, posts=30)
    before = written(), *(list(model.objects.values()) for model in (User, Follow, Message))
    assert "Nothing to add" in seed(users=2, posts=30)
    assert (
        written(),
        *(list(model.objects.values()) for model in (User, Follow, Message)),
    ) == before


def test_people_follow_each_other() -> None:
    seed(users=20, posts=0)
    demo_user = User.objects.get(username="demo")
    assert demo_user.following.count() == len(demo.OTHERS)
    assert User.objects.get(username="reader20").following.count() == 5


def test_demo_talks_with_people_and_has_not_read_it_all() -> None:
    seed(users=4, posts=0)
    demo_user = User.objects.get(username="demo")
    assert demo_user.conversations.count() == len(demo.TALKS)
    assert demo_user.received_messages.unread().count() == 2
    assert demo_user.sent_messages.unread().count() == 1


def test_the_same_seed_makes_the_same_posts() -> None:
    seed(users=2, posts=120)
    first = written()
    Post.objects.all().delete()
    seed(users=2, posts=120)
    assert written() == first
    Post.objects.all().delete()
    seed(users=2, posts=120, seed=2)
    assert written() != first


def test_a_run_that_was_cut_short_goes_on_where_it_stopped() -> None:
    seed(users=1, posts=60)
    whole = written()
    Post.objects.filter(pk__in=Post.objects.newest_first()[:25]).delete()
    seed(users=1, posts=60)
    assert written() == whole


def test_an_account_that_exists_keeps_its_password() -> None:
    User.objects.create_user("Demo", "demo@example.com", "my own password")
    assert "demo   microblog-demo" not in seed(users=1, posts=1)
    user = User.objects.get(username__lower="demo")
    assert user.check_password("my own password")
    assert user.posts.count() == 1


def test_texts_fit_and_hold_every_nasty_one() -> None:
    texts = list(demo.texts("demo", demo.NASTY_EVERY * len(demo.NASTY), seed=1))
    assert {text.body for text in texts} >= set(demo.NASTY)
    assert all(0 < len(text.body) <= MAX_POST_LENGTH and "\0" not in text.body for text in texts)


def test_times_are_in_order_and_of_every_precision() -> None:
    times = [text.created_at for text in demo.texts("demo", 500, seed=1)]
    assert times == sorted(times)
    assert times[-1] < demo.LATEST
    assert any(at.microsecond == 0 for at in times)
    assert any(at.microsecond % 1000 for at in times)
    assert len(set(times)) < len(times)


def test_production_is_left_alone() -> None:
    with pytest.raises(CommandError, match="--force"):
        call_command("seed_demo")
    assert not User.objects.exists()


@pytest.mark.parametrize("argument", ["--users=0", "--posts=-1", "--posts=many"])
def test_numbers_out_of_range_are_refused(argument: str) -> None:
    with pytest.raises(CommandError, match="is not a number"):
        call_command("seed_demo", "--force", argument)
