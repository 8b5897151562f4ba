"""Static checks of compose.yaml, Dockerfile and .dockerignore, without a container engine."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import yaml
from django.conf import settings

from dev.stack import ROOT
from microblog.healthcheck import is_alive

OWN_SERVICES = ("release", "web", "worker", "sweeper")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Return the services of compose.yaml, with YAML merges resolved."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services: dict[str, Any] = compose["services"]
    return services


def lines(name: str) -> list[str]:
    return (ROOT / name).read_text().splitlines()


def test_own_services_are_read_only_and_unprivileged(services):
    for name in OWN_SERVICES:
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_image_is_pinned_and_not_root():
    dockerfile = lines("Dockerfile")
    assert [line for line in dockerfile if line.startswith("USER")] == ["USER 10001"]
    assert "ARG PYTHON=python:3.13.7-slim-bookworm" in dockerfile
    assert {line.split()[1] for line in dockerfile if line.startswith("FROM")} == {"${PYTHON}"}
    assert any(line.startswith("HEALTHCHECK") for line in dockerfile)


def test_third_party_images_are_pinned(services):
    images = [service["image"] for name, service in services.items() if name not in OWN_SERVICES]
    assert all(image.count(":") == 1 and image.rpartition(":")[2][0].isdigit() for image in images)


def test_services_match_procfile(services):
    procfile = dict(line.split(": ", 1) for line in lines("Procfile"))
    assert set(procfile) == set(OWN_SERVICES)
    for name in ("worker", "sweeper"):
        assert " ".join(services[name]["command"]) == procfile[name]
    assert " ".join(services["release"]["command"]) in procfile["release"]


def test_services_wait_for_migrations(services):
    for name in ("web", "worker", "sweeper"):
        assert services[name]["depends_on"]["release"] == {
            "condition": "service_completed_successfully"
        }


def test_worker_stop_allows_longest_build(services):
    minutes = int(services["worker"]["stop_grace_period"].removesuffix("m"))
    assert minutes * 60 > settings.EXPORT_JOB_TIMEOUT + 60


def test_build_context_has_no_private_files():
    allowed = {line[1:] for line in lines(".dockerignore") if line.startswith("!")}
    assert all((ROOT / name).exists() for name in allowed)
    assert "*" in lines(".dockerignore")
    assert not allowed & {".env", ".git", "var", "dev"}


@pytest.mark.parametrize(("status", "expected"), [(200, True), (503, False)])
def test_health_check_requests_healthz(status, expected):
    requested = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert is_alive(server.server_port) is expected
    assert requested == ["/healthz"]


def test_health_check_fails_without_site():
    assert not is_alive(1)
