import shutil

import pytest

from dev import check_pins
from dev.stack import ROOT

pytestmark = pytest.mark.sqlite


@pytest.fixture
def lock(tmp_path):
    """Copy the project's requirements, for the test to change."""
    for path in ROOT.glob("requirements*"):
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def few_pythons(monkeypatch):
    monkeypatch.setattr(check_pins, "PYTHONS", ["3.11.2", "3.11.3", "3.13.0"])


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_pins_of_project_are_complete():
    assert check_pins.problems(ROOT) == []


def test_pin_that_only_old_pythons_need_is_required(lock):
    replace(lock / "requirements.txt", "async-timeout==", "other==")
    assert check_pins.problems(lock)[0] == (
        "requirements.in: async-timeout is not pinned, but needed by redis on Python 3.11.2"
    )


def test_pin_with_wrong_marker_is_reported(lock):
    replace(lock / "requirements.txt", "async-timeout==5.0.1 ; python_full_version < '3.11.3'",
            "async-timeout==5.0.1 ; python_full_version < '3.11.1'")  # fmt: skip
    assert "on Python 3.11.2" in check_pins.problems(lock)[0]


def test_pin_of_an_extra_is_required(lock):
    replace(lock / "requirements.txt", "qrcode==", "other==")
    assert "qrcode is not pinned, but needed by django-allauth" in check_pins.problems(lock)[0]


def test_pin_that_others_exclude_is_reported(lock):
    replace(lock / "requirements.txt", "asgiref==", "asgiref==1.")
    assert "asgiref==1." in check_pins.problems(lock)[0]


def test_python_that_a_package_excludes_is_reported(monkeypatch):
    monkeypatch.setattr(check_pins, "PYTHONS", ["3.8.0"])
    assert any("django does not support Python 3.8.0" in line for line in check_pins.problems(ROOT))
