"""Very long input in the forms of the account pages: an answer, not an error."""

import pytest
from allauth.account.forms import UserTokenForm
from django.conf import settings
from django.forms import CharField
from django.utils.module_loading import import_string

from api.forms import TokenForm
from blog import forms as blog_forms
from blog.accounts.forms import MAX_INPUT_LENGTH, DeleteAccountForm
from blog.forms import UserTextField
from conftest import PASSWORD
from imports import forms as import_forms

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LONG = "a" * 60_000


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/accounts/login/", {"login": LONG, "password": "x"}),
        ("/accounts/login/", {"login": f"{LONG}@microblog.example", "password": "x"}),
        ("/accounts/login/", {"login": "alice", "password": LONG}),
        ("/accounts/login/", {"login": "é" * 60_000, "password": LONG}),
        ("/accounts/login/", {"login": "%" * 60_000, "password": "x"}),
        ("/accounts/signup/", {"username": LONG, "password1": LONG, "password2": LONG}),
        ("/accounts/signup/", {"username": "carol", "email": f"{LONG}@microblog.example"}),
        ("/accounts/password/reset/", {"email": f"a@{LONG}.example"}),
        ("/accounts/password/reset/", {"email": LONG}),
    ],
)
def test_visitors_long_input_is_rejected(client, alice, path, data):
    assert client.post(path, data).status_code == 200


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/accounts/email/", {"email": f"{LONG}@microblog.example", "action_add": ""}),
        ("/accounts/email/", {"email": LONG, "action_remove": ""}),
        ("/accounts/password/change/", {"oldpassword": LONG, "password1": LONG}),
        ("/accounts/reauthenticate/", {"password": LONG}),
        ("/settings/delete/", {"password": LONG}),
        ("/settings/tokens/new/", {"name": LONG, "days": LONG}),
    ],
)
def test_users_long_input_is_rejected(reauthenticated_client, path, data):
    assert reauthenticated_client.post(path, data).status_code in (200, 302, 422)


@pytest.mark.parametrize("path", ["/search/?q=", "/@", "/messages/@", "/api/v1/posts/?before="])
def test_long_urls_are_answered(client, alice, path):
    client.post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    assert client.get(f"{path}{LONG}").status_code < 500


def account_forms():
    """Yield a form of each kind, with the fields that it has on its page."""
    needs = {"add_email": ["user"], "change_password": ["user"], "set_password": ["user"]}
    needs |= {"reauthenticate": ["user"], "authenticate": ["user"]}
    for name, path in (settings.ACCOUNT_FORMS | settings.MFA_FORMS).items():
        if name == "activate_totp":  # its secret needs a request; `code` is like that of the others
            continue
        yield import_string(path)(**dict.fromkeys(needs.get(name, [])))
    yield DeleteAccountForm(None)
    yield TokenForm(None)


def test_every_text_field_is_limited(alice):
    """A form without a limit, such as a new one of django-allauth, fails this test."""
    fields = [field for form in account_forms() for field in form.fields.values()]
    for module in (blog_forms, import_forms):
        for name, form in vars(module).items():
            if "Admin" not in name:
                fields += getattr(form, "base_fields", {}).values()
    texts = [field for field in fields if isinstance(field, CharField)]
    assert len(texts) > 25
    for field in texts:
        limit = field.limit if isinstance(field, UserTextField) else field.max_length
        assert limit, field.label


def test_reset_key_is_limited():
    form = UserTokenForm({"uidb36": "1", "key": LONG})
    assert not form.is_valid()
    assert len(LONG) > MAX_INPUT_LENGTH
