from datetime import datetime, timedelta

import pytest
from django.utils import timezone

URL = "/.well-known/security.txt"

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.mark.parametrize(
    ("contact", "line"),
    [
        ("security@microblog.example", "Contact: mailto:security@microblog.example"),
        ("https://microblog.example/report", "Contact: https://microblog.example/report"),
    ],
)
def test_contact_and_expiry_are_listed(client, settings, contact, line):
    settings.SECURITY_CONTACT = contact
    response = client.get(URL)
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    lines = response.content.decode().splitlines()
    assert lines[0] == line
    assert "Canonical: http://testserver/.well-known/security.txt" in lines
    [expires] = [line.removeprefix("Expires: ") for line in lines if line.startswith("Expires: ")]
    assert (
        timedelta(days=1) < datetime.fromisoformat(expires) - timezone.now() < timedelta(days=365)
    )
    assert client.post(URL).status_code == 405


def test_security_txt_without_contact_is_404(client):
    assert client.get(URL).status_code == 404
