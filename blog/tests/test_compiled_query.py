from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from blog.models import Block, Follow, Notification, User
from blog.models.compiled_query import (
    PK_PLACEHOLDER,
    TEXT_PLACEHOLDER,
    TIME_PLACEHOLDER,
    CompiledQuery,
)

pytestmark = pytest.mark.django_db


def test_each_call_uses_its_own_values(alice, bob):
    users_by_name = CompiledQuery(lambda name: User.objects.filter(username=name), TEXT_PLACEHOLDER)
    assert [list(users_by_name(name)) for name in ("alice", "bob", "carol", "")] == [
        [alice],
        [bob],
        [],
        [],
    ]


def test_compiled_query_accepts_times(alice):
    Notification.objects.upsert(alice.pk, "welcome", {})
    changed_since = CompiledQuery(
        lambda pk, since: Notification.objects.filter(user=pk, updated_at__gte=since),
        PK_PLACEHOLDER,
        TIME_PLACEHOLDER,
    )
    hour = timedelta(hours=1)
    assert len(changed_since(alice.pk, timezone.now() - hour)) == 1
    assert len(changed_since(alice.pk, timezone.now() + hour)) == 0
    assert len(changed_since(0, timezone.now() - hour)) == 0


def test_query_is_compiled_once(alice, bob):
    builds = []

    def build(pk):
        builds.append(pk)
        return User.objects.filter(pk=pk)

    query = CompiledQuery(build, PK_PLACEHOLDER)
    assert [user.username for pk in (alice.pk, bob.pk) for user in query(pk)] == [
        "alice",
        "bob",
    ]
    assert builds == [PK_PLACEHOLDER]


def test_wrong_number_of_values_is_refused(alice):
    with pytest.raises(ValueError, match="zip"):
        CompiledQuery(lambda pk: User.objects.filter(pk=pk), PK_PLACEHOLDER)(alice.pk, "alice")


def test_placeholder_that_is_no_parameter_is_refused(alice):
    query = CompiledQuery(lambda pk: User.objects.filter(username="alice"), PK_PLACEHOLDER)
    with pytest.raises(ValueError, match="is not a parameter of the query"):
        query(alice.pk)


def test_find_profile_returns_same_as_with_profile(alice, bob, make_user):
    carol = make_user("carol")
    Follow.objects.create(follower=alice, followed=bob)
    Follow.objects.create(follower=carol, followed=bob)
    Block.objects.block(carol, alice)
    for viewer in (alice, bob, carol, AnonymousUser()):
        for user in (alice, bob, carol):
            expected = User.objects.with_profile(viewer).filter(pk=user.pk).first()
            found = User.objects.find_profile(viewer, user.username.upper())
            assert _attributes(found) == _attributes(expected)


def _attributes(user):
    return user and {name: value for name, value in vars(user).items() if not name.startswith("_")}
