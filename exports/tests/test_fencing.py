"""Concurrent writes: the second connection waits for the first and then changes nothing."""

import threading

import pytest
from django.db import connection, connections, transaction

from exports.models import ErrorCode, ExportTask, Status
from exports.tests.conftest import build_result

pytestmark = pytest.mark.django_db(transaction=True)


def claim(task):
    return task.claim()


def renew(task):
    return task.renew(9)


def finish(task):
    return task.finish(**build_result("posts/x.json", 9, 9, "0" * 64))


def cancel(task):
    return task.cancel()


def crash(task):
    return task.crash()


def fail(task):
    return task.fail(ErrorCode.ERROR, "")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (claim, claim),
        (cancel, claim),
        (cancel, renew),
        (cancel, finish),
        (crash, renew),
        (crash, finish),
        (fail, finish),
        (finish, cancel),
        (finish, crash),
    ],
)
def test_second_of_two_concurrent_verbs_changes_nothing(task, first, second):
    if first is not claim and second is not claim:
        task.claim()
    first_task, second_task = ExportTask.objects.get(pk=task.pk), ExportTask.objects.get(pk=task.pk)
    results = []

    def run_second():
        results.append(second(second_task))
        connections.close_all()

    with transaction.atomic():
        assert first(first_task)
        other = threading.Thread(target=run_second)
        other.start()
        other.join(0.3)  # by now it waits for the row (PostgreSQL) or the database (SQLite)
    other.join()
    assert results == [False]
    task.refresh_from_db()
    assert (task.status, task.rows_done) == (first_task.status, first_task.rows_done)
    assert task.mails.count() == (task.status in (Status.SUCCESSFUL, Status.FAILED))


def test_concurrent_requests_create_one_task(alice):
    barrier, results = threading.Barrier(2), []

    def request():
        barrier.wait()
        results.append(ExportTask.objects.request(alice)[1])
        connections.close_all()

    threads = [threading.Thread(target=request) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]
    assert connection.vendor in ("sqlite", "postgresql")
    assert alice.export_tasks.count() == 1
