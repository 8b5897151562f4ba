from functools import partial

import pytest
from django.db import transaction

from microblog.transactions import run_after_commit

pytestmark = pytest.mark.django_db(transaction=True)


def fail(reason):
    raise RuntimeError(reason)


@pytest.mark.parametrize("function", [fail, partial(fail)])
def test_error_after_commit_is_logged_and_stops_nothing(function, caplog):
    done: list[int] = []
    with transaction.atomic():
        run_after_commit(function, "the broker is down")
        run_after_commit(done.append, 1)
        assert done == []
    assert done == [1]
    assert "the broker is down" in caplog.text


@pytest.mark.parametrize("function", [fail, partial(fail)])
def test_error_outside_of_a_transaction_is_logged(function, caplog):
    run_after_commit(function, "the disk is gone")
    assert "the disk is gone" in caplog.text


def test_rolled_back_transaction_calls_nothing():
    done: list[int] = []
    with transaction.atomic():
        run_after_commit(done.append, 1)
        transaction.set_rollback(True)
    assert done == []
