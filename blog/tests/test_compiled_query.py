from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from blog.models import NOBODY, Block, Follow, Notification, Prepared, User

pytestmark = pytest.mark.django_db


def test_each_call_has_values_of_its_own(alice, bob):
    by_name = CompiledQuery(lambda name: User.objects.filter(username=name), "")
    assert [list(by_name(name)) for name in ("alice", "bob", "carol", "")] == [
        [alice],
        [bob],
        [],
        [],
    ]


def test_a_moment_is_a_value_like_any(alice):
    Notification.objects.upsert(alice.pk, "welcome", {})
    since = CompiledQuery(
        lambda pk, then: Notification.objects.filter(user=pk, updated_at__gte=then),
        NOBODY,
        timezone.now(),
    )
    hour = timedelta(hours=1)
    assert len(since(alice.pk, timezone.now() - hour)) == 1
    assert len(since(alice.pk, timezone.now() + hour)) == 0
    assert len(since(NOBODY, timezone.now() - hour)) == 0


def test_it_is_put_together_once(alice, bob):
    made = []

    def rows(pk):
        made.append(pk)
        return User.objects.filter(pk=pk)

    prepared = CompiledQuery(rows, PK_PLACEHOLDER)
    assert [person.username for pk in (alice.pk, bob.pk) for person in prepared(pk)] == [
        "alice",
        "bob",
    ]
    assert made == [NOBODY]


def test_one_value_for_each_stand_in(alice):
    with pytest.raises(ValueError, match="zip"):
        Prepared(lambda pk: User.objects.filter(pk=pk), NOBODY)(alice.pk, "alice")


def test_who_is_shown_is_described_for_the_viewer(alice, bob, make_user):
    carol = make_user("carol")
    Follow.objects.create(follower=alice, followed=bob)
    Follow.objects.create(follower=carol, followed=bob)
    Block.objects.block(carol, alice)
    for viewer in (alice, bob, carol, AnonymousUser()):
        for person in (alice, bob, carol):
            expected = User.objects.with_profile(viewer).filter(pk=person.pk).first()
            assert _facts(User.objects.find_profile(viewer, person.username.upper())) == _facts(expected)


def _facts(person):
    """All that was read of somebody."""
    return person and {
        name: value for name, value in vars(person).items() if not name.startswith("_")
    }
