import pytest

from blog.forms import ProfileForm
from blog.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
URL = "/settings/profile/"


def test_profile_changes_are_saved(as_alice, alice):
    data = {
        "about_me": " Trains\r\n& soup ",
        "language": "es",
        "time_zone": "America/Argentina/Buenos_Aires",
    }
    assert as_alice.post(URL, data).url == "/@alice/"
    alice.refresh_from_db()
    assert alice.about_me == "Trains\n& soup"
    assert alice.language == "es"
    assert alice.time_zone == "America/Argentina/Buenos_Aires"


def test_profile_fields_may_be_empty(as_alice, alice):
    alice.about_me = "old"
    alice.save()
    assert as_alice.post(URL, {"about_me": "", "language": "", "time_zone": ""}).status_code == 302
    alice.refresh_from_db()
    assert alice.about_me == ""


@pytest.mark.parametrize(
    "data",
    [
        {"about_me": "x" * 281},
        {"about_me": "a\0b"},
        {"language": "xx"},
        {"time_zone": "Europe/Nowhere"},
        {"time_zone": "../../etc/passwd"},
        {"time_zone": "a\0b"},
    ],
)
def test_invalid_profile_input_is_rejected(as_alice, alice, data):
    response = as_alice.post(URL, data)
    assert response.status_code == 422
    assert "field-error" in response.content.decode()
    alice.refresh_from_db()
    assert (alice.about_me, alice.language, alice.time_zone) == ("", "", "")


def test_profile_form_sets_no_other_fields(as_alice, alice):
    as_alice.post(URL, {"username": "root", "is_staff": "on", "email": "x@microblog.example"})
    alice.refresh_from_db()
    assert (alice.username, alice.is_staff, alice.email) == (
        "alice",
        False,
        "alice@microblog.example",
    )


def test_profile_form_keeps_concurrently_closed_account(alice):
    form = ProfileForm({"about_me": "Trains"}, instance=User.objects.get(pk=alice.pk))
    User.objects.update(is_active=False)
    assert form.is_valid()
    form.save()
    alice.refresh_from_db()
    assert (alice.about_me, alice.is_active) == ("Trains", False)


def test_profile_form_shows_saved_values(as_alice, alice):
    alice.about_me, alice.time_zone = "<b>", "Europe/Vienna"
    alice.save()
    page = as_alice.get(URL).content.decode()
    assert "&lt;b&gt;</textarea>" in page
    assert '<option value="Europe/Vienna" selected>Vienna</option>' in page


def test_visitors_profile_edit_redirects_to_sign_in(client):
    assert client.get(URL).url == f"/accounts/login/?next={URL}"
    assert client.post(URL).url == f"/accounts/login/?next={URL}"


def test_profile_edit_rejects_other_methods(as_alice):
    assert as_alice.delete(URL).status_code == 405


def test_profile_edit_survives_expired_session(client, alice):
    typed = {"about_me": "Trains & soup", "language": "es", "time_zone": "Europe/Madrid"}
    assert client.post(URL, typed).url == f"/accounts/login/?next={URL}"
    client.force_login(alice)
    form = client.get(URL).context["form"]
    assert {name: form[name].value() for name in typed} == typed
    assert client.get(URL).context["form"]["about_me"].value() == ""


@pytest.mark.parametrize("language", ["en", "es"])
def test_profile_form_names_languages_in_themselves(as_alice, alice, language):
    alice.language = language
    alice.save()
    page = as_alice.get(URL).content.decode()
    assert all(f">{name}</option>" in page for name in ("English", "Español", "简体中文"))
