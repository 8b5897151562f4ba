"""Rows that the sweeper changes, each in a transaction of its own."""

import gc

import pytest
from django.db import DatabaseError, connection

from tasks import sweeper
from tasks.models import Status, SweeperHeartbeat
from tasks.models.rows import change_each

from .conftest import expire_lease, reload
from .models import SampleTask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def without_garbage_collection():
    gc.disable()
    yield
    gc.enable()


def fail(row):
    raise DatabaseError("deadlock detected")


def test_failed_change_leaves_no_transaction_open(task, without_garbage_collection):
    with pytest.raises(DatabaseError):
        change_each(SampleTask.objects.all(), fail)
    assert not connection.in_atomic_block


def test_failed_change_is_rolled_back(task):
    def fail_late(row):
        assert row.cancel()
        fail(row)

    with pytest.raises(DatabaseError):
        change_each(SampleTask.objects.all(), fail_late)
    assert reload(task).status == Status.READY


def test_changed_rows_are_returned(task, running):
    expire_lease(running)
    assert change_each(SampleTask.objects.lease_expired(), lambda row: row.rescue()) == [running]
    assert change_each(SampleTask.objects.all(), lambda row: False) == []


def test_failed_step_does_not_keep_later_steps_from_commit(
    running, monkeypatch, without_garbage_collection
):
    expire_lease(running)
    monkeypatch.setattr(SampleTask, "rescue", fail)
    assert "rescue_tasks" in sweeper.sweep()
    assert not connection.in_atomic_block
    assert SweeperHeartbeat.objects.within(60).exists()
