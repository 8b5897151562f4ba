from datetime import timedelta

import pytest
from django.utils import timezone

from blog.models import User, touch

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def rows(alice):
    return User.objects.filter(pk=alice.pk)


def test_touch_within_a_minute_makes_no_query(rows, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert not touch(rows, "last_seen_at", timezone.now() - timedelta(seconds=50))


@pytest.mark.parametrize("age", [None, timedelta(seconds=61), timedelta(days=400)])
def test_touch_after_a_minute_sets_now(rows, age, django_assert_num_queries):
    last = age and timezone.now() - age
    rows.update(last_seen_at=last)
    with django_assert_num_queries(1):
        assert touch(rows, "last_seen_at", last)
    assert timezone.now() - rows.get().last_seen_at < timedelta(seconds=30)


def test_touch_by_outdated_request_keeps_newer_time(rows):
    newer = timezone.now() - timedelta(seconds=5)
    rows.update(last_seen_at=newer)
    touch(rows, "last_seen_at", None)
    assert rows.get().last_seen_at == newer
