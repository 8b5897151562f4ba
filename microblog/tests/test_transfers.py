"""Slots of downloads and uploads."""

import gc
import io
import socket
from contextlib import closing
from runpy import run_path
from types import SimpleNamespace

import pytest

from dev.stack import ROOT
from imports.uploads import upload_slot
from microblog import transfers
from microblog.transfers import LimitedFileResponse, Slot, TooManyTransfers


@pytest.fixture
def limit(monkeypatch):
    monkeypatch.setattr(transfers, "_slots", None)
    return transfers.limit_to_half_of


def free_slots():
    slots = []
    try:
        while True:
            slots.append(Slot())
    except TooManyTransfers:
        return len(slots)
    finally:
        for slot in slots:
            slot.release()


@pytest.mark.parametrize(("threads", "slots"), [(1, 1), (2, 1), (3, 1), (4, 2), (8, 4)])
def test_half_of_the_threads_may_transfer(limit, threads, slots):
    limit(threads)
    assert free_slots() == slots


def test_nothing_is_limited_without_gunicorn(limit):
    assert len([Slot() for _ in range(100)]) == 100


def test_response_holds_its_slot_until_it_is_closed(limit):
    limit(4)
    response = LimitedFileResponse(io.BytesIO(b"content"))
    assert free_slots() == 1
    for _ in range(2):
        response.close()
    assert free_slots() == 2


def test_refused_response_closes_its_file(limit):
    limit(2)
    held, file = Slot(), io.BytesIO(b"content")
    with pytest.raises(TooManyTransfers):
        LimitedFileResponse(file)
    assert file.closed
    held.release()
    assert free_slots() == 1


def test_forgotten_response_frees_its_slot(limit):
    limit(2)
    LimitedFileResponse(io.BytesIO(b"content"))
    gc.collect()
    assert free_slots() == 1


def test_upload_takes_a_slot_of_the_process(limit):
    limit(2)
    with upload_slot() as has_slot, upload_slot() as has_another:
        assert (has_slot, has_another) == (True, False)
    assert free_slots() == 1


def test_stalled_clients_are_disconnected():
    configuration = run_path(str(ROOT / "gunicorn.conf.py"))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        configuration["when_ready"](SimpleNamespace(LISTENERS=[SimpleNamespace(sock=server)]))
        client = socket.create_connection(server.getsockname())
        connection, _ = server.accept()
        milliseconds = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        client.close()
        connection.close()
    assert milliseconds == 120_000
