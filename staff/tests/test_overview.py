from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from staff import overview
from staff.models import SelfTest
from staff.overview import SPANS, EndedTask
from tasks.models import CoreError, MailStatus, Status
from tasks.tests.models import SampleMail, SampleTask

from .conftest import LIST, MAIL_LIST

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY, WEEK = SPANS


def ended(hours, seconds=10.0, *, is_success=True):
    """Make a task that ended so many hours ago and took so many seconds."""
    return EndedTask(
        is_success=is_success, seconds=seconds, finished_at=NOW - timedelta(hours=hours)
    )


def test_span_is_divided_into_steps_until_now():
    plot = overview.success_rate_plot(DAY, [ended(0.5), ended(23.5), ended(25)], NOW)
    assert [number for number, bar in enumerate(plot.bars) if bar.height] == [0, 23]
    assert len(overview.success_rate_plot(WEEK, [], NOW).bars) == 28


def test_success_rate_includes_failures():
    tasks = [ended(1.5), ended(1.5, is_success=False), ended(3), ended(3)]
    plot = overview.success_rate_plot(DAY, tasks, NOW)
    assert plot.total == "75 %"
    assert sorted(bar.height for bar in plot.bars)[-2:] == [overview.HEIGHT / 2, overview.HEIGHT]


def test_median_wait_ignores_failures():
    tasks = [ended(1, 5), ended(1, 7), ended(1, 90), ended(1, 9999, is_success=False)]
    assert overview.median_wait_plot(DAY, tasks, NOW).total == "7.0 s"
    assert overview.median_wait_plot(DAY, [ended(1, 125)], NOW).total == "2 min 5 s"


def test_empty_plots_show_no_value():
    for plot in (overview.success_rate_plot(DAY, [], NOW), overview.median_wait_plot(DAY, [], NOW)):
        assert plot.total == "–"
        assert not any(bar.height for bar in plot.bars)


@pytest.mark.django_db
def test_overview_links_worker_to_its_task(client, support, task, start_job):
    start_job(task)
    client.force_login(support)
    change = f"{LIST}{task.pk}/change/"
    assert f'<a href="{change}">runs a task</a>' in client.get("/admin/").content.decode()


@pytest.mark.django_db
def test_overview_shows_counts_mails_and_health(client, support, task, bob, worker):
    SampleTask.objects.filter(pk=task.pk).update(created_at=timezone.now() - timedelta(minutes=7))
    other, _ = SampleTask.objects.get_or_create_unfinished(bob)
    other.claim()
    other.fail(CoreError.ERROR, "")
    SampleMail.objects.update(status=MailStatus.GAVE_UP)
    SelfTest.objects.create(mail_to="a@b.example", passed=True, verdict="All links hold.")
    client.force_login(support)
    page = " ".join(client.get("/admin/").content.decode().split())
    assert "<strong>1</strong> Waiting" in page
    assert "<strong>1</strong> Failed" in page
    assert "The oldest has waited for 7 minutes" in page
    assert "<strong>0 %</strong>" in page
    assert worker.name[:8] in page
    assert f'{MAIL_LIST}?status__exact=GAVE_UP">1</a>' in page
    assert "no sign of life" in page
    assert "passed" in page


@pytest.mark.django_db
def test_plots_use_no_inline_styles(client, support):
    client.force_login(support)
    page = client.get("/admin/").content.decode()
    assert page.count('<svg viewBox="0 0 240 48" role="img"') == 4
    assert "style=" not in page


@pytest.mark.django_db
def test_overview_query_count_is_constant(
    client, support, make_user, django_assert_max_num_queries
):
    for number in range(9):
        SampleTask.objects.create(
            owner=make_user(f"person{number}"), status=Status.FAILED, finished_at=timezone.now()
        )
    client.force_login(support)
    with django_assert_max_num_queries(20):
        client.get("/admin/")


@pytest.mark.django_db
def test_overview_works_without_broker(client, support, monkeypatch):
    def fail(*args, **kwargs):
        raise RedisConnectionError("unreachable")

    monkeypatch.setattr("django_rq.get_queue", fail)
    client.force_login(support)
    assert "The broker does not answer." in client.get("/admin/").content.decode()
