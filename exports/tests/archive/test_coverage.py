"""The contract that nothing about people is forgotten, and that it notices when something is."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks.registry import registry
from django.db import models
from django.test.utils import isolate_apps

from blog.models import Conversation, Post, User
from exports import checks
from exports.archive import coverage, verification
from exports.archive.coverage import LeftOut
from exports.archive.sections import PARTS


def test_every_field_about_people_is_exported_or_left_out():
    assert list(coverage.gaps()) == []


def model(name: str, **fields: models.Field[Any, Any]) -> type[models.Model]:
    meta = type("Meta", (), {"app_label": "blog"})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


@isolate_apps("blog")
def test_a_new_model_is_noticed_however_far_it_is_from_people():
    diary = model("Diary", owner=models.ForeignKey(User, models.CASCADE, related_name="+"))
    page = model("Page", diary=models.ForeignKey(diary, models.CASCADE), text=models.TextField())
    weather = model("Weather", degrees=models.IntegerField())
    found = list(coverage.gaps([*apps.get_models(), diary, page, weather]))
    assert [gap.partition(" ")[0] for gap in found] == [
        "blog.Diary.owner",
        "blog.Page.diary",
        "blog.Page.text",
    ]


def test_a_new_field_is_noticed(monkeypatch):
    mood = models.CharField(name="mood", max_length=10)
    monkeypatch.setattr(Post._meta, "local_fields", [*Post._meta.local_fields, mood])
    assert list(coverage.gaps()) == ["blog.Post.mood is neither exported nor left out."]
    assert [message.id for message in checks.check_account_coverage()] == ["exports.E010"]
    registered: set[Any] = set(registry.get_checks())
    assert checks.check_account_coverage in registered


def test_a_part_that_goes_is_noticed(monkeypatch):
    monkeypatch.setattr(coverage, "PARTS", [part for part in PARTS if part.name != "reports"])
    assert "blog.Report.comment is neither exported nor left out." in coverage.gaps()


def test_a_way_that_no_archive_takes_is_noticed(monkeypatch):
    monkeypatch.setattr(coverage, "PARTS", [part for part in PARTS if part.name != "followers"])
    assert list(coverage.gaps()) == [
        "blog.Follow.followed leads to people in whose archives its rows are not."
    ]


@pytest.mark.parametrize(
    ("label", "gap"),
    [("blog.Post.gone", "does not exist"), ("blog.Post.body", "is left out, and exported")],
)
def test_what_is_wrongly_said_to_be_left_out_is_noticed(monkeypatch, label, gap):
    monkeypatch.setattr(
        coverage, "LEFT_OUT", (*coverage.LEFT_OUT, LeftOut("this", "that", fields=(label,)))
    )
    [found] = coverage.gaps()
    assert gap in found


def test_models_without_a_path_of_their_own_are_found():
    people = coverage.of_people(apps.get_models())
    assert {
        Conversation,
        apps.get_model("account.EmailConfirmation"),
        apps.get_model("admin.LogEntry"),
    } <= people
    assert (
        apps.get_model("sessions.Session") not in people
    )  # named by hand: what leads to people lies in its text


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_the_schema_of_each_file_describes_what_is_in_it(part):
    schema = json.loads(Path(verification.SCHEMAS / f"{part.name}.schema.json").read_text())
    rows = schema["properties"][part.name]
    rows = rows.get("items", rows)["properties"]
    described = set(rows) | set(
        rows["messages"]["items"]["properties"] if "messages" in rows else ()
    )
    assert described - {"messages"} == set(part.values)
