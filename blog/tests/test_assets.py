"""Integrity hashes of scripts and style sheets, also of imported scripts."""

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
    "path",
    ["/", "/accounts/login/", "/explore/", "/messages/", "/messages/@bob/", "/admin/diagnosis/"],
)
def test_asset_tags_have_hashes_of_served_files(client, staff, bob, path):
    if path not in ("/", "/accounts/login/"):
        client.force_login(staff)
    tags = TAG.findall(client.get(path).content.decode())
    ours = [(url, rest) for url, rest in tags if not url.startswith("/static/admin/")]
    assert ours
    for url, rest in ours:
        served = b"".join(client.get(url).streaming_content)
        assert f'integrity="{integrity(served)}"' in rest, url
        for module in re.findall(rb'from "\./([\w.-]+)"', served):
            assert f"/static/js/{module.decode()}" in dict(ours), url


def test_changed_asset_gets_new_hash(tmp_path):
    path = tmp_path / "some.js"
    path.write_text("one();\n")
    before = assets.read_asset(path)
    path.write_text('import { two } from "./two.js";\n\nthree();\n')
    assert before.imports == []
    assert assets.read_asset(path).imports == ["two.js"]
    assert assets.read_asset(path).integrity == integrity(path.read_bytes()) != before.integrity


def test_unknown_asset_is_named_in_error():
    with pytest.raises(ValueError, match=r"js/nothing\.js"):
        assets.script("js/nothing.js")


@pytest.fixture
def collected(settings, tmp_path, monkeypatch):
    """Run `collectstatic` and use its files."""
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    storages = settings.STORAGES | {
        "staticfiles": {"BACKEND": "microblog.storage.HashedStaticFilesStorage"}
    }
    with override_settings(STATIC_ROOT=tmp_path, STATIC_COLLECTED=True, STORAGES=storages):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield tmp_path


def test_collected_scripts_import_hashed_names(collected):
    assert isinstance(storages["staticfiles"], HashedStaticFilesStorage)
    html = assets.script("js/hover-card.js") + assets.style("css/base.css")
    tags = dict(TAG.findall(html))
    assert len(tags) == 3
    for url, rest in tags.items():
        assert re.fullmatch(r"/static/\w+/[\w-]+\.[0-9a-f]{12}\.(?:js|css)", url)
        content = (collected / Path(url).relative_to("/static")).read_bytes()
        assert f'integrity="{integrity(content)}"' in rest
    [card] = [url for url in tags if "hover-card" in url]
    [fragment] = [url for url in tags if "fragment" in url]
    script = (collected / Path(card).relative_to("/static")).read_text()
    assert f'from "./{Path(fragment).name}"' in script
