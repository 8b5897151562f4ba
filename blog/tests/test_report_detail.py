import re

import pytest
from model_bakery import baker

from blog.models import Block, Mute, Outcome, Report

pytestmark = pytest.mark.django_db


@pytest.fixture
def report(alice, bob):
    return baker.make(Report, reporter=alice, person=bob, reason="SPAM", comment="Every day")


def test_it_thanks_and_offers_to_keep_away(as_alice, report):
    page = as_alice.get(report.get_absolute_url()).content.decode()
    assert "Your report is with staff." in page
    assert "Every day" in page
    assert 'action="/@bob/mute/"' in page
    assert 'href="/@bob/block/"' in page


def test_no_browser_keeps_it(as_alice, report):
    assert "no-store" in as_alice.get(report.get_absolute_url())["Cache-Control"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.DISMISSED, "found nothing against the rules"),
        (Outcome.HIDDEN, "did something about it"),
        (Outcome.DEACTIVATED, "did something about it"),
    ],
)
def test_it_says_what_came_of_it_in_a_general_way(as_alice, report, staff, outcome, words):
    Report.objects.all().handle(staff, outcome)
    page = as_alice.get(report.get_absolute_url()).content.decode()
    assert words in page
    assert "staff</" not in page


def test_who_is_muted_can_be_unmuted(as_alice, report, alice, bob):
    Mute.objects.create(muter=alice, muted=bob)
    assert 'action="/@bob/unmute/"' in as_alice.get(report.get_absolute_url()).content.decode()


def test_after_a_block_the_name_is_gone(as_alice, report, alice, bob):
    Block.objects.put(bob, alice)
    assert not re.search(r"\bbob\b", as_alice.get(report.get_absolute_url()).content.decode())


def test_it_is_for_the_reporter_alone(client, report, bob, staff):
    for person in (bob, staff):
        client.force_login(person)
        assert client.get(report.get_absolute_url()).status_code == 404
    client.logout()
    assert client.get(report.get_absolute_url()).status_code == 302


def test_it_cannot_be_posted_to(as_alice, report):
    assert as_alice.post(report.get_absolute_url()).status_code == 405


def test_it_costs_six_queries(as_alice, report, django_assert_num_queries):
    as_alice.get("/")
    with django_assert_num_queries(6):  # session, reader, report, person, news, bars
        as_alice.get(report.get_absolute_url())
