import uuid

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_the_owner_sees_its_timeline(client, alice, task):
    client.force_login(alice)
    task.claim()
    text = client.get(f"/exports/{task.pk}/").content.decode()
    assert "Requested" in text
    assert "A worker began" in text


@pytest.mark.parametrize("page", ["/exports/", "/exports/{pk}/"])
def test_its_state_stands_there_once_it_has_ended(client, alice, task, page):
    """Before that the bar says it: its words move, a state beside them would soon be an old one."""
    client.force_login(alice)
    assert 'class="status-badge ' not in client.get(page.format(pk=task.pk)).content.decode()
    task.cancel()
    assert "status-badge-cancelled" in client.get(page.format(pk=task.pk)).content.decode()


def test_a_stranger_and_a_guess_get_the_same_404(client, bob, staff, task):
    for person in (bob, staff):
        client.force_login(person)
        assert client.get(f"/exports/{task.pk}/").status_code == 404
        assert client.get(f"/exports/{uuid.uuid4()}/").status_code == 404


def test_nobody_is_sent_to_sign_in(client, task):
    assert client.get(f"/exports/{task.pk}/").status_code == 302


def test_it_only_reads(client, alice, task):
    client.force_login(alice)
    assert client.post(f"/exports/{task.pk}/").status_code == 405


def test_it_is_not_stored_by_browsers(client, alice, task):
    client.force_login(alice)
    assert "no-store" in client.get(f"/exports/{task.pk}/").headers["Cache-Control"]
