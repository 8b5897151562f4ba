import re

import pytest
from model_bakery import baker

from blog.models import Block, Mute, Outcome, Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(alice, bob):
    return baker.make(Report, reporter=alice, person=bob, reason="SPAM", comment="Every day")


def test_report_page_offers_mute_and_block(as_alice, report):
    page = as_alice.get(report.get_absolute_url()).content.decode()
    assert "Your report is with staff." in page
    assert "Every day" in page
    assert 'action="/@bob/mute/"' in page
    assert 'href="/@bob/block/"' in page


def test_report_page_is_not_stored(as_alice, report):
    assert "no-store" in as_alice.get(report.get_absolute_url())["Cache-Control"]


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Outcome.DISMISSED, "found nothing against the rules"),
        (Outcome.HIDDEN, "did something about it"),
        (Outcome.DEACTIVATED, "did something about it"),
    ],
)
def test_report_page_gives_general_outcome(as_alice, report, staff, outcome, text):
    Report.objects.all().handle(staff, outcome)
    page = as_alice.get(report.get_absolute_url()).content.decode()
    assert text in page
    assert "staff</" not in page


def test_report_page_offers_unmute(as_alice, report, alice, bob):
    Mute.objects.create(muter=alice, muted=bob)
    assert 'action="/@bob/unmute/"' in as_alice.get(report.get_absolute_url()).content.decode()


def test_report_page_hides_name_after_block(as_alice, report, alice, bob):
    Block.objects.block(bob, alice)
    assert not re.search(r"\bbob\b", as_alice.get(report.get_absolute_url()).content.decode())


def test_report_page_is_for_reporter_only(client, report, bob, staff):
    for user in (bob, staff):
        client.force_login(user)
        assert client.get(report.get_absolute_url()).status_code == 404
    client.logout()
    assert client.get(report.get_absolute_url()).status_code == 302


def test_report_page_rejects_post(as_alice, report):
    assert as_alice.post(report.get_absolute_url()).status_code == 405


def test_report_page_makes_six_queries(as_alice, report, django_assert_num_queries):
    as_alice.get("/")
    # Session, viewer, report, user, latest exports, progress bars.
    with django_assert_num_queries(6):
        as_alice.get(report.get_absolute_url())
