"""Clients that sign in with an API token."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from blog.models import ApiToken, User


@pytest.fixture
def make_api_client() -> Callable[..., Client]:
    """Create a client with a token of the given user, and without a session."""

    def make(owner: User, is_read_only: bool = False, **more: Any) -> Client:
        _, secret = ApiToken.objects.issue(owner, "A program", is_read_only)
        return Client(
            headers={"authorization": f"Bearer {secret}"}, enforce_csrf_checks=True, **more
        )

    return make


@pytest.fixture
def api_client(make_api_client: Callable[..., Client], alice: User) -> Client:
    return make_api_client(alice)
