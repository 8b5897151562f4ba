"""What can be said of the containers' files where no engine runs them."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import yaml
from django.conf import settings

from dev.stack import ROOT
from microblog.healthcheck import is_alive

OURS = ("release", "web", "worker", "sweeper")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """compose.yaml's, with its merges carried out."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services: dict[str, Any] = compose["services"]
    return services


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text().splitlines()


def test_nothing_of_ours_may_write_or_become_more(services):
    for name in OURS:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_the_image_does_not_run_as_root_and_its_base_is_pinned():
    dockerfile = lines("Dockerfile")
    assert [line for line in dockerfile if line.startswith("USER")] == ["USER 10001"]
    assert "ARG PYTHON=python:3.13.7-slim-bookworm" in dockerfile
    assert {line.split()[1] for line in dockerfile if line.startswith("FROM")} == {"${PYTHON}"}
    assert any(line.startswith("HEALTHCHECK") for line in dockerfile)


def test_every_image_that_is_not_ours_is_pinned(services):
    images = [service["image"] for name, service in services.items() if name not in OURS]
    assert all(image.count(":") == 1 and image.rpartition(":")[2][0].isdigit() for image in images)


def test_the_processes_are_those_of_the_procfile(services):
    procfile = dict(line.split(": ", 1) for line in lines("Procfile"))
    assert set(procfile) == set(OURS)
    for name in ("worker", "sweeper"):
        assert " ".join(services[name]["command"]) == procfile[name]
    assert " ".join(services["release"]["command"]) in procfile["release"]


def test_they_wait_until_the_tables_are_there(services):
    for name in ("web", "worker", "sweeper"):
        assert services[name]["depends_on"]["release"] == {
            "condition": "service_completed_successfully"
        }


def test_a_worker_is_given_the_time_to_finish_the_longest_build(services):
    assert (
        int(services["worker"]["stop_grace_period"].removesuffix("m")) * 60
        > settings.EXPORT_JOB_TIMEOUT + 60
    )


def test_what_the_image_needs_is_let_in_and_nothing_private_is():
    let_in = {line[1:] for line in lines(".dockerignore") if line.startswith("!")}
    assert all((ROOT / name).exists() for name in let_in)
    assert "*" in lines(".dockerignore")
    assert not let_in & {".env", ".git", "var", "dev"}


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False)])
def test_the_health_check_asks_whether_the_site_lives(status, expected):
    asked = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert is_alive(server.server_port) is expected
    assert asked == ["/healthz"]


def test_without_a_site_it_is_not_alive():
    assert not is_alive(1)
