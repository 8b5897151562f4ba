import re
import time

import pytest

from blog.accounts.allauth_internals import TOTP, format_hotp_value, hotp_value
from conftest import PASSWORD

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

SECRET = "JBSWY3DPEHPK3PXP"
SETUP_URL = "/accounts/2fa/totp/activate/"


def totp_code(secret=SECRET):
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


@pytest.fixture(autouse=True)
def mfa_required(settings):
    settings.STAFF_SECOND_FACTOR = True


@pytest.fixture
def sign_in(client, staff):
    return lambda: client.post(
        "/accounts/login/?next=/admin/", {"login": "staff", "password": PASSWORD}
    )


@pytest.mark.django_db(transaction=True)  # allauth sends its signal after commit
def test_staff_without_mfa_must_set_it_up(client, staff, sign_in):
    assert sign_in().url == "/admin/"
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0] == SETUP_URL
    page = response.content.decode()
    assert "Staff need a second factor." in page
    secret = re.findall(r'<code class="checksum">([A-Z2-7 ]+)</code>', page)[0].replace(" ", "")
    page = client.post(SETUP_URL, {"code": totp_code(secret)}, follow=True).content.decode()
    assert '<a href="/admin/">go on to the admin</a>' in page
    assert client.get("/admin/").status_code == 200


def test_staff_pass_mfa_at_sign_in(client, staff, sign_in):
    TOTP.activate(staff, SECRET)
    response = sign_in()
    assert response.url.startswith("/accounts/2fa/authenticate/")
    assert client.post(response.url, {"code": totp_code()}).url == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_unverified_session_must_reauthenticate(client, staff):
    client.force_login(staff)  # a session from before the setup
    TOTP.activate(staff, SECRET)
    response = client.get("/admin/sample/sampletask/", follow=True)
    address = response.redirect_chain[-1][0]
    assert address == "/accounts/2fa/reauthenticate/?next=%2Fadmin%2Fsample%2Fsampletask%2F"
    answer = client.post(address, {"code": totp_code(), "next": "/admin/sample/sampletask/"})
    assert answer.url == "/admin/sample/sampletask/"
    assert client.get(answer.url).status_code == 200


@pytest.mark.parametrize("path", ["", "stats.json", "queues/0/", "workers/0/"])
def test_rq_dashboard_requires_mfa(client, staff, path):
    client.force_login(staff)
    assert client.get(f"/admin/django_rq/dashboard/{path}").status_code in (302, 403)


def test_disabling_mfa_locks_staff_out(client, staff, sign_in):
    TOTP.activate(staff, SECRET)
    client.post(sign_in().url, {"code": totp_code()})
    staff.authenticator_set.all().delete()
    assert client.get("/admin/").status_code == 302


def test_users_who_are_not_staff_are_forbidden(client, alice):
    client.force_login(alice)
    assert client.get("/admin/login/?next=/admin/").status_code == 403


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"]
)
def test_admin_login_ignores_foreign_next_url(client, staff, settings, url):
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    assert client.get("/admin/login/", {"next": url}).url == "/admin/"


def test_admin_login_form_accepts_no_password(client, staff, settings):
    settings.STAFF_SECOND_FACTOR = False
    client.post("/admin/login/", {"username": "staff", "password": PASSWORD})
    assert "_auth_user_id" not in client.session


def test_admin_password_change_redirects_to_settings(client, staff, settings):
    settings.STAFF_SECOND_FACTOR = False
    client.force_login(staff)
    assert client.get("/admin/password_change/").url == "/accounts/password/change/"
