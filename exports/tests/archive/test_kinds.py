"""Both kinds of archive, side by side."""

import re
from pathlib import Path

import pytest

import exports
from exports.archive.kinds import KINDS
from exports.models import ErrorCode, ExportTask, Status
from tasks.models.clock import from_now

pytestmark = pytest.mark.django_db


@pytest.fixture
def request_export(client, alice):
    client.force_login(alice)
    return lambda kind: client.post("/exports/", {"kind": kind}, follow=True)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_requested(request_export, alice, kind):
    assert "Your archive is requested" in request_export(kind).content.decode()
    assert alice.export_tasks.get().kind == kind


def test_unknown_kind_is_not_found(request_export, alice):
    assert request_export("photos").status_code == 404
    assert not alice.export_tasks.exists()


def test_pages_tell_two_running_kinds_apart(request_export, alice, client):
    request_export("posts")
    request_export("account")
    assert "under way already" in request_export("account").content.decode()
    assert set(alice.export_tasks.values_list("kind", flat=True)) == {"posts", "account"}
    for url in ("/", "/@alice/", "/exports/"):
        text = client.get(url).content.decode()
        assert "of 0 posts" in text
        assert re.search(r"\d of \d entr", text)
        assert "data-progress-title>Your posts<" in text
        assert "data-progress-title>Your account<" in text


def test_cooldown_applies_to_one_kind_only(request_export, alice, settings):
    settings.EXPORT_COOLDOWN = 600
    done = ExportTask.objects.create(
        owner=alice, status=Status.SUCCESSFUL, finished_at=from_now(-60)
    )
    request_export("posts")
    request_export("account")
    assert set(alice.export_tasks.exclude(pk=done.pk).values_list("kind", flat=True)) == {"account"}


def test_next_page_shows_failures_of_both_kinds(client, alice):
    for kind in KINDS:
        task = ExportTask.objects.request(alice, kind)[0]
        task.claim()
        task.fail(ErrorCode.TIMEOUT, "")
    client.force_login(alice)
    text = client.get("/").content.decode()
    assert text.count("longer than an export may take") == 2
    assert "<b>Your account.</b>" in text


def test_retry_button_requests_same_kind(client, alice):
    task = ExportTask.objects.request(alice, "account")[0]
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
        "building",
        "deletion",
        "delivery",
        "metrics",
        "progress",
        "requests",
        "sweeper",
        "views",
    ],
)
def test_shared_modules_name_no_kind(name):
    source = (Path(exports.__file__).parent / f"{name}.py").read_text()
    assert not [kind for kind in KINDS if f'"{kind}' in source]
