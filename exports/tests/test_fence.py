"""Two connections at once: what the second one finds when it had to wait for the first."""

import threading

import pytest
from django.db import connection, connections, transaction

from exports.models import ErrorCode, ExportTask, Status

pytestmark = pytest.mark.django_db(transaction=True)


def claim(task):
    return task.claim()


def renew(task):
    return task.renew(9)


def finish(task):
    return task.finish("posts/x.json", 9, 9, "0" * 64) is not None


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
def test_the_second_of_two_changes_nothing(task, first, second):
    if first is not claim and second is not claim:
        task.claim()
    mine, theirs = ExportTask.objects.get(pk=task.pk), ExportTask.objects.get(pk=task.pk)
    answers = []

    def run_second():
        answers.append(second(theirs))
        connections.close_all()

    with transaction.atomic():
        assert first(mine)
        other = threading.Thread(target=run_second)
        other.start()
        other.join(0.3)  # on PostgreSQL it waits for the row now, on SQLite for the database
    other.join()
    assert answers == [False]
    task.refresh_from_db()
    assert (task.status, task.rows_done) == (mine.status, mine.rows_done)
    assert task.mails.count() == (task.status in (Status.SUCCESSFUL, Status.FAILED))


def test_two_clicks_at_once_make_one_task(alice):
    together, answers = threading.Barrier(2), []

    def click():
        together.wait()
        answers.append(ExportTask.objects.request(alice.pk)[1])
        connections.close_all()

    clicks = [threading.Thread(target=click) for _ in range(2)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert sorted(answers) == [False, True]
    assert connection.vendor in ("sqlite", "postgresql")
    assert alice.export_tasks.count() == 1
