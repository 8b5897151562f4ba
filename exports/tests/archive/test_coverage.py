"""Coverage contract of the account archive, and the violations that it detects."""

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
from exports.archive.coverage import Exclusion
from exports.archive.sections import SECTIONS


def test_every_field_is_exported_or_excluded():
    assert list(coverage.violations()) == []


def make_model(name: str, **fields: models.Field[Any, Any]) -> type[models.Model]:
    meta = type("Meta", (), {"app_label": "blog"})
    return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})


@isolate_apps("blog")
def test_new_model_far_from_users_is_reported():
    diary = make_model("Diary", owner=models.ForeignKey(User, models.CASCADE, related_name="+"))
    page = make_model(
        "Page", diary=models.ForeignKey(diary, models.CASCADE), text=models.TextField()
    )
    weather = make_model("Weather", degrees=models.IntegerField())
    found = list(coverage.violations([*coverage.personal_models(), diary, page, weather]))
    assert [violation.partition(" ")[0] for violation in found] == [
        "blog.Diary.owner",
        "blog.Page.diary",
        "blog.Page.text",
    ]


def test_new_field_is_reported(monkeypatch):
    mood = models.CharField(name="mood", max_length=10)
    monkeypatch.setattr(Post._meta, "local_fields", [*Post._meta.local_fields, mood])
    assert list(coverage.violations()) == ["blog.Post.mood is neither exported nor excluded."]
    assert [message.id for message in checks.check_account_coverage()] == ["exports.E010"]
    registered: set[Any] = set(registry.get_checks())
    assert checks.check_account_coverage in registered


def test_removed_section_is_reported(monkeypatch):
    monkeypatch.setattr(
        coverage, "SECTIONS", [section for section in SECTIONS if section.name != "reports"]
    )
    assert "blog.Report.comment is neither exported nor excluded." in coverage.violations()


def test_owner_field_in_no_archive_is_reported(monkeypatch):
    monkeypatch.setattr(
        coverage, "SECTIONS", [section for section in SECTIONS if section.name != "followers"]
    )
    assert list(coverage.violations()) == [
        "blog.Follow.followed points to users whose archives do not contain its rows."
    ]


@pytest.mark.parametrize(
    ("label", "violation"),
    [
        ("blog.Post.gone", "does not exist"),
        ("blog.Post.body", "is both excluded and exported"),
    ],
)
def test_invalid_exclusion_is_reported(monkeypatch, label, violation):
    exclusion = Exclusion(description="this", reason="that", fields=(label,))
    monkeypatch.setattr(coverage, "EXCLUDED", (*coverage.EXCLUDED, exclusion))
    [found] = coverage.violations()
    assert violation in found


def test_indirectly_linked_models_are_found():
    linked = coverage.models_linked_to_users(apps.get_models())
    assert {
        Conversation,
        apps.get_model("account.EmailConfirmation"),
        apps.get_model("admin.LogEntry"),
    } <= linked
    # Its text holds the user, not a relation, so EXCLUDED names it explicitly.
    assert apps.get_model("sessions.Session") not in linked


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_schema_describes_every_key_of_section(section):
    schema = json.loads(
        Path(verification.SCHEMA_FOLDER / f"{section.name}.schema.json").read_text()
    )
    rows = schema["properties"][section.name]
    rows = rows.get("items", rows)["properties"]
    described = set(rows) | set(
        rows["messages"]["items"]["properties"] if "messages" in rows else ()
    )
    assert described - {"messages"} == set(section.field_paths)
