import uuid

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_owner_sees_timeline(client, alice, task):
    client.force_login(alice)
    task.claim()
    text = client.get(f"/exports/{task.pk}/").content.decode()
    assert "Requested" in text
    assert "A worker began" in text


@pytest.mark.parametrize("page", ["/exports/", "/exports/{pk}/"])
def test_status_is_shown_once_task_is_finished(client, alice, task, page):
    # The bar shows the live status, so a static one beside it would soon be outdated.
    client.force_login(alice)
    assert 'class="status-badge ' not in client.get(page.format(pk=task.pk)).content.decode()
    task.cancel()
    assert "status-badge-cancelled" in client.get(page.format(pk=task.pk)).content.decode()


def test_other_users_and_unknown_ids_get_404(client, bob, staff, task):
    for user in (bob, staff):
        client.force_login(user)
        assert client.get(f"/exports/{task.pk}/").status_code == 404
        assert client.get(f"/exports/{uuid.uuid4()}/").status_code == 404


def test_visitor_is_redirected_to_sign_in(client, task):
    assert client.get(f"/exports/{task.pk}/").status_code == 302


def test_detail_rejects_post(client, alice, task):
    client.force_login(alice)
    assert client.post(f"/exports/{task.pk}/").status_code == 405


def test_detail_is_not_cached(client, alice, task):
    client.force_login(alice)
    assert "no-store" in client.get(f"/exports/{task.pk}/").headers["Cache-Control"]
