"""Two kinds of archive beside each other."""

import re
from pathlib import Path

import pytest

import exports
from exports.archive.kinds import KINDS
from exports.models import ErrorCode, ExportTask, Status
from exports.models.clock import from_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(client, alice):
    client.force_login(alice)
    return lambda kind: client.post("/exports/", {"kind": kind}, follow=True)


@pytest.mark.parametrize("kind", KINDS)
def test_each_can_be_asked_for(ask, alice, kind):
    assert "Your archive is requested" in ask(kind).content.decode()
    assert alice.export_tasks.get().kind == kind


def test_one_that_there_is_not_is_a_404(ask, alice):
    assert ask("photos").status_code == 404
    assert not alice.export_tasks.exists()


def test_both_may_be_under_way_and_every_page_tells_them_apart(ask, alice, client):
    ask("posts")
    ask("account")
    assert "under way already" in ask("account").content.decode()
    assert set(alice.export_tasks.values_list("kind", flat=True)) == {"posts", "account"}
    for url in ("/", "/@alice/", "/exports/"):
        text = client.get(url).content.decode()
        assert "of 0 posts" in text
        assert re.search(r"\d of \d entr", text)
        assert "data-progress-title>Your posts<" in text
        assert "data-progress-title>Your account<" in text


def test_the_pause_after_one_is_none_for_the_other(ask, alice, settings):
    settings.EXPORT_COOLDOWN = 600
    done = ExportTask.objects.create(
        owner=alice, status=Status.SUCCESSFUL, finished_at=from_now(-60)
    )
    ask("posts")
    ask("account")
    assert set(alice.export_tasks.exclude(pk=done.pk).values_list("kind", flat=True)) == {"account"}


def test_both_failures_are_told_on_the_next_page(client, alice):
    for kind in KINDS:
        task = ExportTask.objects.request(alice.pk, kind)[0]
        task.claim()
        task.fail(ErrorCode.TIMEOUT, "")
    client.force_login(alice)
    text = client.get("/").content.decode()
    assert text.count("longer than an export may take") == 2
    assert "<b>Your account.</b>" in text


def test_another_try_is_of_the_same_kind(client, alice):
    task = ExportTask.objects.request(alice.pk, "account")[0]
    task.claim()
    task.fail(ErrorCode.TIMEOUT, "")
    client.force_login(alice)
    for url in ("/exports/", task.get_absolute_url()):
        text = client.get(url).content.decode()
        assert 'name="kind" value="account"' in text
        assert "Ask again" in text


@pytest.mark.parametrize(
    "name",
    [
        "admin",
        "archive/build",
        "bounces",
        "deletion",
        "delivery",
        "heartbeat",
        "jobs",
        "metrics",
        "offers",
        "progress",
        "queue_position",
        "requests",
        "staff/actions",
        "staff/diagnosis",
        "staff/live_list",
        "staff/overview",
        "staff/rq_dashboard",
        "sweeper",
        "views",
    ],
)
def test_nothing_that_handles_an_archive_names_a_kind(name):
    source = (Path(exports.__file__).parent / f"{name}.py").read_text()
    assert not [kind for kind in KINDS if f'"{kind}' in source]
