from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from exports.models import ErrorCode, ExportMail, ExportTask, MailStatus, SelfTest, Status
from exports.staff import overview as figures
from exports.staff.overview import SPANS, Ended

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY, WEEK = SPANS


def ended(hours, seconds=10.0, *, is_success=True):
    return Ended(is_success, seconds, NOW - timedelta(hours=hours))


def test_a_span_is_cut_into_steps_that_end_now():
    plot = figures.rate(DAY, [ended(0.5), ended(23.5), ended(25)], NOW)
    assert [number for number, bar in enumerate(plot.bars) if bar.height] == [0, 23]
    assert len(figures.rate(WEEK, [], NOW).bars) == 28


def test_the_rate_counts_what_failed():
    items = [ended(1.5), ended(1.5, is_success=False), ended(3), ended(3)]
    plot = figures.rate(DAY, items, NOW)
    assert plot.figure == "75 %"
    assert sorted(bar.height for bar in plot.bars)[-2:] == [figures.HEIGHT / 2, figures.HEIGHT]


def test_the_median_is_of_those_that_succeeded():
    items = [ended(1, 5), ended(1, 7), ended(1, 90), ended(1, 9999, is_success=False)]
    assert figures.wait(DAY, items, NOW).figure == "7.0 s"
    assert figures.wait(DAY, [ended(1, 125)], NOW).figure == "2 min 5 s"


def test_where_nothing_ended_nothing_is_claimed():
    for plot in (figures.rate(DAY, [], NOW), figures.wait(DAY, [], NOW)):
        assert plot.figure == "–"
        assert not any(bar.height for bar in plot.bars)


@pytest.mark.django_db
def test_a_worker_is_shown_with_what_it_builds(client, support, task, start_job):
    start_job(task)
    client.force_login(support)
    change = f"/admin/exports/exporttask/{task.pk}/change/"
    assert f'<a href="{change}">builds an export</a>' in client.get("/admin/").content.decode()


@pytest.mark.django_db
def test_the_front_page_tells_how_it_goes(client, support, task, bob, worker):
    ExportTask.objects.filter(pk=task.pk).update(created_at=timezone.now() - timedelta(minutes=7))
    other, _ = ExportTask.objects.request(bob.pk)
    other.claim()
    other.fail(ErrorCode.ERROR, "")
    ExportMail.objects.update(status=MailStatus.GAVE_UP)
    ExportTask.objects.filter(pk=other.pk).update(archive="x", archive_bytes=2048)
    SelfTest.objects.create(mail_to="a@b.example", passed=True, verdict="All links hold.")
    client.force_login(support)
    page = " ".join(client.get("/admin/").content.decode().split())
    assert "<strong>1</strong> Waiting" in page
    assert "<strong>1</strong> Failed" in page
    assert "The oldest has waited for 7 minutes" in page
    assert "<strong>0 %</strong>" in page
    assert worker.name[:8] in page
    assert "1 (2.0 KB)" in page
    assert '?failure=mail">1</a>' in page
    assert "no sign of life" in page
    assert "passed" in page


@pytest.mark.django_db
def test_its_plots_obey_the_policy(client, support):
    client.force_login(support)
    page = client.get("/admin/").content.decode()
    assert page.count('<svg viewBox="0 0 240 48" role="img"') == 4
    assert "style=" not in page


@pytest.mark.django_db
def test_it_costs_the_same_whatever_there_is(
    client, support, make_user, django_assert_max_num_queries
):
    for number in range(9):
        ExportTask.objects.create(
            owner=make_user(f"person{number}"), status=Status.FAILED, finished_at=timezone.now()
        )
    client.force_login(support)
    with django_assert_max_num_queries(20):
        client.get("/admin/")


@pytest.mark.django_db
def test_without_the_broker_it_opens_and_says_so(client, support, monkeypatch):
    from redis.exceptions import ConnectionError as Away

    def away(*args, **kwargs):
        raise Away("away")

    monkeypatch.setattr("django_rq.get_queue", away)
    client.force_login(support)
    assert "The broker does not answer." in client.get("/admin/").content.decode()
