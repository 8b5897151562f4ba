"""Nobody meets the libraries' own words, which address people formally or are not translated everywhere."""

from importlib.resources import files

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import TOTP
from babel.messages.mofile import read_mo
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import translation
from django.utils.module_loading import import_string

from blog.accounts.adapter import AccountAdapter, SecondFactorAdapter
from blog.accounts.forms import OurWords
from blog.models import User
from conftest import PASSWORD

pytestmark = pytest.mark.sqlite

ADAPTERS = {AccountAdapter: DefaultAccountAdapter, SecondFactorAdapter: DefaultMFAAdapter}
# Messages of telephones and of codes by mail, which the site does not use.
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
def theirs():
    """Every text that the libraries have a Spanish or a Chinese translation of."""
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
def test_what_an_adapter_says_is_ours(adapter, theirs):
    reachable = set(ADAPTERS[adapter].error_messages) - UNREACHABLE
    foreign = {code for code in reachable if english(adapter.error_messages[code]) in theirs}
    assert foreign == set()


def test_every_form_with_fields_says_what_is_wrong_in_our_words(theirs):
    assert set(settings.ACCOUNT_FORMS) == ACCOUNT_FORMS
    assert set(settings.MFA_FORMS) == MFA_FORMS
    for path in (*settings.ACCOUNT_FORMS.values(), *settings.MFA_FORMS.values()):
        assert issubclass(import_string(path), OurWords)


@pytest.mark.parametrize("password", ["x", "password123", "alice-in-the-garden", "x" * 129])
def test_what_validators_of_passwords_say_is_ours(password, theirs):
    with pytest.raises(ValidationError) as refused:
        validate_password(password, User(username="alice-in-the-garden"))
    for message in refused.value.messages:
        assert not any(text.startswith(message[:30]) for text in theirs)


def errors(response):
    return {
        error for form_errors in response.context["form"].errors.values() for error in form_errors
    }


@pytest.mark.parametrize(
    ("path", "typed", "words"),
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
def test_a_visitor_reads_our_words(client, alice, path, typed, words, theirs):
    found = errors(client.post(reverse(f"account_{path}"), typed))
    assert not found & theirs
    for word in words:
        assert any(error.startswith(word) for error in found)


@pytest.mark.parametrize(
    ("name", "typed", "words"),
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
def test_a_person_reads_our_words(reauthenticated_client, name, typed, words, theirs):
    found = errors(reauthenticated_client.post(reverse(name), typed))
    assert not found & theirs
    assert any(error.startswith(words) for error in found)


@pytest.mark.parametrize("action", ["action_remove", "action_primary"])
def test_what_is_said_of_addresses_is_ours(reauthenticated_client, alice, action, theirs):
    page = reauthenticated_client.post(
        "/accounts/email/", {action: "", "email": alice.email}, follow=True
    )
    said = [str(message) for message in page.context["messages"]]
    assert said
    assert not set(said) & theirs


def test_the_other_way_to_prove_oneself_is_named_in_our_words(
    reauthenticated_client, alice, theirs
):
    TOTP.activate(alice, "JBSWY3DPEHPK3PXP")
    for name, words in {
        "account": "Use a code instead",
        "mfa": "Use your password instead",
    }.items():
        page = reauthenticated_client.get(reverse(f"{name}_reauthenticate"))
        assert {way["description"] for way in page.context["reauthentication_alternatives"]} == {
            words
        }
        assert words not in theirs
