"""Scripts and style sheets are held against a hash, also those that other scripts import."""

import base64
import hashlib
import re
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.core.management import call_command
from django.test import override_settings

from blog.templatetags import assets
from microblog.storage import HashedStaticFilesStorage

TAG = re.compile(r'<(?:link|script)[^>]+(?:href|src)="([^"]+\.(?:css|js))"([^>]*)>')


def integrity(content):
    return f"sha384-{base64.b64encode(hashlib.sha384(content).digest()).decode()}"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/", "/accounts/login/", "/explore/", "/messages/", "/messages/@bob/", "/admin/stuck/"]
)
def test_every_page_gives_the_hash_of_what_is_sent(client, staff, bob, path):
    if path not in ("/", "/accounts/login/"):
        client.force_login(staff)
    tags = TAG.findall(client.get(path).content.decode())
    ours = [(url, rest) for url, rest in tags if not url.startswith("/static/admin/")]
    assert ours
    for url, rest in ours:
        sent = b"".join(client.get(url).streaming_content)
        assert f'integrity="{integrity(sent)}"' in rest, url
        for part in re.findall(rb'from "\./([\w.-]+)"', sent):
            assert f"/static/js/{part.decode()}" in dict(ours), url


def test_a_changed_file_has_another_hash(tmp_path):
    path = tmp_path / "some.js"
    path.write_text("one();\n")
    before = assets.asset(path)
    path.write_text('import { two } from "./two.js";\n\nthree();\n')
    assert before.imports == []
    assert assets.asset(path).imports == ["two.js"]
    assert assets.asset(path).integrity == integrity(path.read_bytes()) != before.integrity


def test_a_name_that_there_is_not_is_said():
    with pytest.raises(ValueError, match=r"js/nothing\.js"):
        assets.script("js/nothing.js")


@pytest.fixture
def collected(settings, tmp_path, monkeypatch):
    """What `collectstatic` makes of our own files, and the tags that go with it."""
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    storages = settings.STORAGES | {"staticfiles": {"BACKEND": "microblog.storage.HashedStaticFilesStorage"}}
    with override_settings(STATIC_ROOT=tmp_path, STATIC_COLLECTED=True, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield tmp_path


def test_collected_files_import_each_other_under_their_hashed_names(collected):
    assert isinstance(storages["staticfiles"], HashedStaticFilesStorage)
    tags = dict(TAG.findall(assets.script("js/people.js") + assets.style("css/microblog.css")))
    assert len(tags) == 3
    for url, rest in tags.items():
        assert re.fullmatch(r"/static/\w+/\w+\.[0-9a-f]{12}\.(?:js|css)", url)
        assert (
            f'integrity="{integrity((collected / Path(url).relative_to("/static")).read_bytes())}"'
            in rest
        )
    [people] = [url for url in tags if "people" in url]
    [fragment] = [url for url in tags if "fragment" in url]
    assert (
        f'from "./{Path(fragment).name}"'
        in (collected / Path(people).relative_to("/static")).read_text()
    )
