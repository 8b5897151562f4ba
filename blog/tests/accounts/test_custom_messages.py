"""Error messages: the site's own instead of the libraries'.

Theirs address users formally in some languages, and are not translated everywhere.
"""

from importlib.resources import files

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from babel.messages.mofile import read_mo
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation
from django.utils.module_loading import import_string

from blog.accounts.adapter import AccountAdapter, MFAAdapter
from blog.accounts.allauth_internals import TOTP
from blog.accounts.forms import CustomMessagesMixin
from blog.models import User
from conftest import PASSWORD

pytestmark = pytest.mark.sqlite

ADAPTERS = {AccountAdapter: DefaultAccountAdapter, MFAAdapter: DefaultMFAAdapter}
# Messages about phone numbers and codes by mail, which the site does not use.
UNREACHABLE = {"phone_password_mismatch", "phone_taken", "unknown_phone", "select_only_one"}
ACCOUNT_FORMS = {
    "login",
    "signup",
    "add_email",
    "change_password",
    "set_password",
    "reset_password",
}
ACCOUNT_FORMS |= {"reset_password_from_key", "reauthenticate"}
MFA_FORMS = {"authenticate", "reauthenticate", "activate_totp"}
CODES = {"required", "max_length", "min_length", "null_characters_not_allowed"}
LIBRARIES = ("allauth", "django.conf", "django.contrib.auth")


@pytest.fixture(scope="module")
def library_messages():
    """Collect all messages that the libraries translate to Spanish or Chinese."""
    texts: set[str] = set()
    for library in LIBRARIES:
        for language in ("es", "zh_Hans"):
            with (files(library) / "locale" / language / "LC_MESSAGES" / "django.mo").open(
                "rb"
            ) as file:
                for message in read_mo(file):
                    texts.update([message.id] if isinstance(message.id, str) else message.id)
    assert {"This field is required.", "Incorrect code.", "This password is too common."} <= texts
    return texts


def english(text):
    with translation.override("en"):
        return str(text)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapter_messages_are_custom(adapter, library_messages):
    reachable = set(ADAPTERS[adapter].error_messages) - UNREACHABLE
    unchanged = {
        code for code in reachable if english(adapter.error_messages[code]) in library_messages
    }
    assert unchanged == set()


def test_all_library_forms_use_custom_messages(library_messages):
    assert set(settings.ACCOUNT_FORMS) == ACCOUNT_FORMS
    assert set(settings.MFA_FORMS) == MFA_FORMS
    for path in (*settings.ACCOUNT_FORMS.values(), *settings.MFA_FORMS.values()):
        assert issubclass(import_string(path), CustomMessagesMixin)


@pytest.mark.parametrize("password", ["x", "password123", "alice-in-the-garden", "x" * 129])
def test_password_validator_messages_are_custom(password, library_messages):
    with pytest.raises(ValidationError) as error:
        validate_password(password, User(username="alice-in-the-garden"))
    for message in error.value.messages:
        assert not any(text.startswith(message[:30]) for text in library_messages)


def errors(response):
    return {
        error for form_errors in response.context["form"].errors.values() for error in form_errors
    }


@pytest.mark.parametrize(
    ("path", "data", "messages"),
    [
        ("login", {}, {"Please fill this in."}),
        ("login", {"login": "alice", "password": "x"}, {"The name or the password is wrong."}),
        (
            "login",
            {"login": "a@b.example", "password": "x"},
            {"The e-mail address or the password is wrong."},
        ),
        (
            "login",
            {"login": "a\0", "password": "x"},
            {"This holds a NUL character, which cannot be stored."},
        ),
        ("signup", {}, {"Please fill this in."}),
        (
            "signup",
            {"email": "nothing"},
            {"This is not an e-mail address.", "Please fill this in."},
        ),
        (
            "signup",
            {"password1": PASSWORD, "password2": "x"},
            {"The two passwords are not the same."},
        ),
        ("signup", {"username": "x" * 65}, {"This has 65 characters; 64 are allowed."}),
        ("signup", {"username": "root"}, {"This name is reserved."}),
        ("reset_password", {"email": "nothing"}, {"This is not an e-mail address."}),
    ],
)
def test_visitors_see_custom_messages(client, alice, path, data, messages, library_messages):
    found = errors(client.post(reverse(f"account_{path}"), data))
    assert not found & library_messages
    for message in messages:
        assert any(error.startswith(message) for error in found)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("account_reauthenticate", {"password": "x"}, "This is not your password."),
        ("account_reauthenticate", {}, "Please fill this in."),
        ("account_change_password", {"oldpassword": "x"}, "This is not your present password."),
        (
            "account_change_password",
            {"password1": "ab", "password2": "ab"},
            "This password is too short:",
        ),
        ("account_email", {"action_add": "", "email": "nothing"}, "This is not an e-mail address."),
        (
            "account_email",
            {"action_add": "", "email": "alice@microblog.example"},
            "This is your address already.",
        ),
        ("mfa_activate_totp", {"code": "1"}, "This code is not right, or too old."),
        ("account-delete", {"password": ""}, "Please fill this in."),
        ("profile-edit", {"language": "xx"}, "Please choose one from the list."),
        ("profile-edit", {"time_zone": "Nowhere"}, "Please choose one from the list."),
    ],
)
def test_users_see_custom_messages(reauthenticated_client, name, data, message, library_messages):
    found = errors(reauthenticated_client.post(reverse(name), data))
    assert not found & library_messages
    assert any(error.startswith(message) for error in found)


@pytest.mark.parametrize("action", ["action_remove", "action_primary"])
def test_email_page_messages_are_custom(reauthenticated_client, alice, action, library_messages):
    page = reauthenticated_client.post(
        "/accounts/email/", {action: "", "email": alice.email}, follow=True
    )
    shown = [str(message) for message in page.context["messages"]]
    assert shown
    assert not set(shown) & library_messages


def test_reauthentication_methods_have_custom_labels(
    reauthenticated_client, alice, library_messages
):
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    for name, label in {
        "account": "Use a code instead",
        "mfa": "Use your password instead",
    }.items():
        page = reauthenticated_client.get(reverse(f"{name}_reauthenticate"))
        assert {
            method["description"] for method in page.context["reauthentication_alternatives"]
        } == {label}
        assert label not in library_messages
