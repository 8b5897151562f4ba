"""Random and hostile input in queries and forms: no page fails."""

from html.parser import HTMLParser
from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import strategies as st
from model_bakery import baker

from blog.models import Post

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PAGES = [
    *(
        "/",
        "/explore/",
        "/search/?q=x",
        "/search/?q=x&in=people",
        "/@alice/",
        "/@bob/",
        "/@bob/followers/",
    ),
    *(
        "/messages/",
        "/messages/@bob/",
        "/messages/@bob/news/",
        "/notifications/",
        "/notifications/all/",
    ),
    *(
        "/exports/",
        "/exports/new/account/",
        "/@bob/block/",
        "/@bob/report/",
        "/@bob/feed/",
        "/avatars/bob.svg",
    ),
    *(
        "/settings/",
        "/settings/profile/",
        "/settings/notifications/",
        "/settings/blocks/",
        "/settings/delete/",
    ),
    *(
        "/settings/tokens/",
        "/settings/tokens/new/",
        "/accounts/email/",
        "/accounts/sessions/",
        "/accounts/logout/",
    ),
    *(
        "/accounts/password/change/",
        "/accounts/reauthenticate/",
        "/accounts/2fa/",
        "/accounts/2fa/totp/activate/",
    ),
    *("/posts/{post}/", "/posts/{post}/edit/", "/posts/{post}/delete/", "/posts/{other}/report/"),
    *(
        "/admin/",
        "/admin/diagnosis/",
        "/admin/selftest/",
        "/admin/exports/exporttask/",
        "/admin/exports/exporttask/live/",
    ),
    *(
        "/admin/exports/exporttask/act/cancel/",
        "/admin/blog/user/",
        "/admin/blog/user/add/",
        "/admin/blog/post/",
    ),
    *(
        "/admin/blog/post/{post}/change/",
        "/admin/blog/post/{post}/decide/hide/",
        "/admin/blog/report/",
    ),
    *(
        "/admin/blog/follow/add/",
        "/admin/auth/group/add/",
        "/admin/mfa/authenticator/",
        "/admin/autocomplete/",
    ),
    *("/admin/django_rq/dashboard/", "/admin/django_rq/dashboard/queues/0/", "/admin/login/"),
]
PUBLIC_PAGES = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/"]
PARAMETERS = [
    *(
        "before",
        "after",
        "since",
        "from",
        "q",
        "in",
        "next",
        "blocked",
        "muted",
        "task",
        "state",
        "kind",
        "age",
    ),
    *(
        "p",
        "o",
        "e",
        "all",
        "_popup",
        "_to_field",
        "id__exact",
        "status__exact",
        "created_at__year",
        "is_active__exact",
    ),
]
HOSTILE_VALUES = [
    *(
        "",
        "\0",
        "\ud800",
        "-1",
        "0",
        "9" * 40,
        "1e309",
        "NaN",
        "null",
        "[]",
        "%",
        "%00",
        "%ff",
        "\r\nSet-Cookie: a=b",
    ),
    *(
        "../../etc/passwd",
        "' OR 1=1 --",
        "</script><script>",
        "{{ 7*7 }}",
        "=cmd|' /C calc'!A0",
        "\u2028",
        "\u202e",
    ),
    *(
        "2026-02-30",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+14:00",
        "1.1.1",
        "a" * 70_000,
        "https://[",
    ),
]
VALUES = st.one_of(st.sampled_from(HOSTILE_VALUES), st.text(max_size=40), st.integers().map(str))


class FormParser(HTMLParser):
    """Action and field names of each POST form of a page."""

    def __init__(self, path):
        super().__init__()
        self.path, self.forms, self.is_in_form = path.partition("?")[0], [], False

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self.is_in_form = attributes.get("method", "get").lower() == "post"
            if self.is_in_form:
                self.forms.append((attributes.get("action") or self.path, []))
        elif (
            self.is_in_form
            and attributes.get("name")
            and tag in ("input", "textarea", "select", "button")
        ):
            self.forms[-1][1].append(attributes["name"])


def forms_on(client, paths):
    """Return the action and the field names of each different form of these pages."""
    found: dict[tuple[str, ...], tuple[str, list[str]]] = {}
    for path in paths:
        parser = FormParser(path)
        parser.feed(client.get(path).content.decode())
        found |= {(action, *names): (action, names) for action, names in parser.forms}
    return list(found.values())


def encode(fields):
    """Encode fields for a URL, including surrogates, which no browser sends."""
    return urlencode(
        [(name, value.encode("utf-8", "surrogatepass")) for name, value in fields.items()]
    )


@pytest.fixture
def paths(staff, alice, bob, settings):
    settings.RATE_LIMITS, settings.ACCOUNT_RATE_LIMITS = False, False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    posts = {
        "post": baker.make(Post, author=staff, body="Hello").pk,
        "other": baker.make(Post, author=bob).pk,
    }
    return [path.format(**posts) for path in PAGES]


@hypothesis.given(data=st.data())
def test_no_query_breaks_a_page(client, staff, paths, data):
    client.force_login(staff)
    path = data.draw(st.sampled_from(paths)).partition("?")[0]
    names = st.sampled_from(PARAMETERS)
    query = data.draw(st.dictionaries(names, VALUES, min_size=1, max_size=3))
    assert client.get(f"{path}?{encode(query)}").status_code < 500


@pytest.fixture
def forms(client, staff, paths):
    visible = forms_on(client, PUBLIC_PAGES)
    client.force_login(staff)
    return visible + forms_on(client, paths)


@hypothesis.given(data=st.data())
def test_no_input_breaks_a_form(client, staff, forms, data):
    client.force_login(staff)
    action, names = data.draw(st.sampled_from(forms))
    if action in PUBLIC_PAGES[:3]:
        client.logout()
    omitted = data.draw(st.sets(st.sampled_from(names), max_size=1))
    values = {name: data.draw(VALUES) for name in names if name not in omitted}
    response = client.post(action, encode(values), content_type="application/x-www-form-urlencoded")
    assert response.status_code < 500


def test_forms_of_all_pages_are_found(forms):
    assert {
        "/posts/",
        "/accounts/login/",
        "/settings/profile/",
        "/exports/",
        "/admin/diagnosis/",
    } <= {to for to, _ in forms}
    assert ("/accounts/signup/", {"username", "email", "password1", "password2"}) in [
        (to, set(names) - {"csrfmiddlewaretoken", "next"}) for to, names in forms
    ]
