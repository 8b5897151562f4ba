"""What holds for every kind of task: permissions, places in the admin, bars, times, pruning."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.utils import timezone
from model_bakery import baker

from blog.models import AccountDeletion, Notification, reported_task_models
from blog.sweeper import prune_task_notifications
from exports.models import ExportTask
from imports.models import ImportTask, Phase
from staff.kinds import page_url
from staff.permissions import permission
from tasks import queue_position
from tasks.models import Status, task_models
from tasks.sweeper import KEEP_DETAIL_DAYS

pytestmark = pytest.mark.django_db

KINDS = [model for model in task_models() if model._meta.app_label != "sample"]


@pytest.fixture
def staff_client(client, make_staff):
    def sign_in(role):
        client.force_login(make_staff(role))
        return client

    return sign_in


@pytest.fixture
def confirmed_import(alice):
    """Create an import that was uploaded a day ago and confirmed just now."""
    task = baker.make(
        ImportTask,
        owner=alice,
        source="mastodon",
        status=Status.SUCCESSFUL,
        preview={"account": "ada"},
        created_at=timezone.now() - timedelta(days=1),
        requested_at=timezone.now() - timedelta(days=1),
    )
    task.notify_owner()
    assert task.confirm(years=[2020], options=[], rows=40)
    return task


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("role", ["Support", "Operators"])
def test_roles_have_permissions_on_each_kind(make_staff, model, role):
    user = make_staff(role)
    assert user.has_perm(permission(model, "view"))
    assert user.has_perm(permission(model, "cancel")) == model.is_cancellable
    assert user.has_perm(permission(model, "operate")) == (role == "Operators")


def test_removing_permissions_leaves_those_of_exports(make_staff):
    user = make_staff("Operators")
    import_module("imports.migrations.0003_roles").remove_permissions(apps, None)
    names = Group.objects.get(name="Operators").permissions.values_list("codename", flat=True)
    assert {"view_exporttask", "operate_exporttask"} <= set(names)
    assert not {"view_importtask", "operate_importtask", "view_accountdeletion"} & set(names)
    assert not user.has_perm(permission(ImportTask, "view"))


def test_support_cancels_import_and_cannot_rescue_it(staff_client, confirmed_import):
    client = staff_client("Support")
    url = page_url(ImportTask, "act", "cancel")
    assert client.post(url, {"task": confirmed_import.pk}).status_code == 302
    confirmed_import.refresh_from_db()
    assert confirmed_import.status == Status.CANCELLED
    url = page_url(ImportTask, "act", "rescue")
    assert client.post(url, {"task": confirmed_import.pk}).status_code == 403


def test_overview_begins_with_exports_and_ends_with_deletions(staff_client):
    page = staff_client("Support").get("/admin/")
    assert [kind.name for kind in page.context["kinds"]] == [
        model._meta.model_name for model in (ExportTask, ImportTask, AccountDeletion)
    ]


def test_deletions_offer_no_cancel_action(staff_client, bob):
    deletion, _ = AccountDeletion.objects.get_or_create_unfinished(bob)
    client = staff_client("Operators")
    page = client.get(page_url(AccountDeletion, "change", deletion.pk)).content.decode()
    assert page_url(AccountDeletion, "act", "rescue") in page
    assert page_url(AccountDeletion, "act", "cancel") not in page


# Times of phases


def test_confirmed_import_waits_behind_earlier_requests(confirmed_import, bob, monkeypatch):
    monkeypatch.setattr("tasks.broker.worker_count", lambda: 1)
    export, _ = ExportTask.objects.request(bob)
    ExportTask.objects.filter(pk=export.pk).update(
        requested_at=timezone.now() - timedelta(minutes=5)
    )
    queue_position.update_all()
    assert export.shown_payload()["place"] == 1
    assert confirmed_import.shown_payload()["place"] == 2


@pytest.mark.parametrize("phase", [Phase.IMPORT, Phase.UNDO])
def test_overview_times_a_phase_from_its_request(staff_client, confirmed_import, phase):
    if phase == Phase.UNDO:
        confirmed_import.claim()
        confirmed_import.finish(rows_done=40)
        assert confirmed_import.undo()
    confirmed_import.claim()
    assert confirmed_import.finish(rows_done=40)
    overviews = staff_client("Support").get("/admin/").context["kinds"]
    [imports] = [kind for kind in overviews if kind.name == "importtask"]
    for _label, (_rate, median) in imports.spans:
        assert median.total.endswith(" s")
        assert float(median.total.removesuffix(" s")) < 60


def test_overview_counts_and_lists_phases_of_last_day(staff_client, confirmed_import):
    ImportTask.objects.filter(pk=confirmed_import.pk).update(
        status=Status.FAILED, created_at=timezone.now() - timedelta(days=20)
    )
    client = staff_client("Support")
    [imports] = [
        kind for kind in client.get("/admin/").context["kinds"] if kind.name == "importtask"
    ]
    [(number, url)] = [(number, url) for label, number, url in imports.counts if label == "Failed"]
    assert number == 1
    assert str(confirmed_import.pk) in client.get(url).content.decode()


# Bars


@pytest.mark.parametrize("url", ["/", "/@alice/", "/exports/", "/imports/"])
def test_import_has_bar_on_all_pages(client, alice, confirmed_import, url):
    confirmed_import.claim()
    confirmed_import.renew(12)
    client.force_login(alice)
    page = client.get(url).content.decode()
    assert f'data-progress="{confirmed_import.pk}"' in page
    assert "12 of 40 posts" in page
    assert "Progress of your export" not in page


def test_export_and_import_have_bars_side_by_side(client, alice, confirmed_import):
    export, _ = ExportTask.objects.request(alice)
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert page.index(str(confirmed_import.pk)) < page.index(str(export.pk))


def test_previewed_import_has_no_bar(client, alice, confirmed_import):
    ImportTask.objects.filter(pk=confirmed_import.pk).update(
        phase=Phase.PREVIEW, status=Status.SUCCESSFUL
    )
    client.force_login(alice)
    assert f'data-progress="{confirmed_import.pk}"' not in client.get("/").content.decode()


def test_unread_failure_of_import_is_alert_on_pages(client, alice, confirmed_import):
    confirmed_import.claim()
    confirmed_import.fail("ERROR")
    client.force_login(alice)
    assert "Not all of your posts could be imported" in client.get("/").content.decode()


def test_bars_of_other_people_are_not_shown(client, bob, confirmed_import):
    client.force_login(bob)
    assert str(confirmed_import.pk) not in client.get("/").content.decode()


# Pruning


def test_pruning_deletes_old_notifications_of_each_kind(alice):
    old = timezone.now() - timedelta(days=KEEP_DETAIL_DAYS + 1)
    prefixes = [model.notification_prefix for model in reported_task_models()]
    assert prefixes == ["export", "import"]
    for prefix in (*prefixes, "follow", "exporter"):
        for age in ("old", "new"):
            Notification.objects.upsert(alice.pk, f"{prefix}:{age}", {})
    Notification.objects.filter(name__endswith=":old").update(updated_at=old)
    prune_task_notifications()
    assert set(alice.notifications.values_list("name", flat=True)) == {
        *(f"{prefix}:new" for prefix in (*prefixes, "follow", "exporter")),
        "follow:old",
        "exporter:old",
    }
