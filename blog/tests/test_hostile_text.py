"""Hostile user text: pages escape it, the API returns it unchanged, forms reject the unstorable."""

import html
import json

import pytest
from model_bakery import baker

from api.forms import TokenForm
from blog.forms import HidePostForm
from blog.management.demo_data import EDGE_CASES
from blog.models import ApiToken, Post

pytestmark = pytest.mark.django_db

SCRIPTS = [
    "<script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "</title>",
]
UNSTORABLE = ["a\0b", "\u202e\u200b", "\ud800"]
# Hangul fillers, blank Braille, Khmer inherent vowels, Mongolian separator, tags, selectors, white
# space, a note without a head.
BLANK = ["\u3164", "\uffa0\u115f\u1160", "\u2800 \u2800", "\u17b4", "\u180e\u3000", "\U000e0041"]
BLANK += ["\ufe0f\u200d", "\u2003\u2028\u00ad\u034f", "\U0001d159"]
VISIBLE = ["\u3164x", "👩\u200d🚀", "\u0301", "¶", "\u2801", "\ue000", "ㅤ한"]


def url_encoded(text):
    return {
        "data": b"body="
        + "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass")).encode()
    }


@pytest.mark.parametrize("body", [*SCRIPTS, *EDGE_CASES])
def test_pages_escape_hostile_text(client, alice, send_message, bob, body):
    post = baker.make(Post, author=alice, body=body)
    alice.about_me = body
    alice.save()
    send_message(bob, alice, body)
    client.force_login(alice)
    pages = [
        "/",
        "/explore/",
        "/@alice/",
        f"/posts/{post.pk}/",
        f"/posts/{post.pk}/edit/",
        "/messages/@bob/",
        "/settings/profile/",
    ]
    for path in pages:
        page = client.get(path).content.decode()
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert '" onmouseover' not in page, path
    assert body.replace("\r\n", "\n").split("\n")[0][:20] in html.unescape(
        client.get(pages[4]).content.decode()
    )


@pytest.mark.parametrize("body", [*SCRIPTS, *EDGE_CASES])
def test_api_returns_hostile_text_unchanged(client, alice, body):
    post = baker.make(Post, author=alice, body=body)
    _, secret = ApiToken.objects.issue(alice, "A program", False)
    answer = client.get(f"/api/v1/posts/{post.pk}/", headers={"authorization": f"Bearer {secret}"})
    assert json.loads(answer.content)["body"] == post.body


@pytest.mark.parametrize("body", UNSTORABLE)
def test_unstorable_text_is_rejected(client, alice, body):
    client.force_login(alice)
    form_response = client.generic(
        "POST", "/posts/", **url_encoded(body), content_type="application/x-www-form-urlencoded"
    )
    _, secret = ApiToken.objects.issue(alice, "A program", False)
    api_response = client.post(
        "/api/v1/posts/",
        json.dumps({"body": body}),
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )
    assert api_response.status_code in (400, 422)
    assert form_response.status_code < 500
    assert "\0" not in "".join(Post.objects.values_list("body", flat=True))


@pytest.mark.parametrize("text", BLANK)
def test_text_without_visible_character_is_rejected(client, alice, bob, text):
    client.force_login(alice)
    for url, field in [
        ("/posts/", "body"),
        ("/messages/@bob/", "body"),
        ("/settings/profile/", "about_me"),
        ("/@bob/report/", "comment"),
    ]:
        response = client.post(url, {field: text, "reason": "SPAM"})
        assert response.status_code == 422, url
    assert not TokenForm(alice, {"name": text}).is_valid()
    assert not HidePostForm({"reason": text}).is_valid()
    assert not Post.objects.exists()


@pytest.mark.parametrize("text", VISIBLE)
def test_text_with_visible_character_is_accepted(client, alice, text):
    client.force_login(alice)
    assert client.post("/posts/", {"body": text}).status_code == 302
    assert TokenForm(alice, {"name": text}).is_valid()
