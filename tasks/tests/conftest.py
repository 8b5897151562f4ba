import pytest

from tasks.models import Status
from tasks.models.clock import from_now

from .models import SampleTask


@pytest.fixture
def task(alice):
    """Save a waiting task of alice's that counts to ten."""
    return SampleTask.objects.get_or_create_unfinished(alice, rows_total=10)[0]


@pytest.fixture
def running(task):
    assert task.claim()
    return task


def reload(row):
    """Read the same row again, as another process would."""
    return type(row).objects.get(pk=row.pk)


def expire_lease(row):
    type(row).objects.filter(pk=row.pk).update(lease_expires_at=from_now(-1))


def crash_until(task, crashes):
    for _ in range(crashes):
        assert task.claim()
        assert task.crash("killed")
    assert task.status in (Status.READY, Status.FAILED)
