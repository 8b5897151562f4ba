"""A program that has a token of alice's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from blog.models import ApiToken, User


@pytest.fixture
def program() -> Callable[..., Client]:
    """Make a client with a token of somebody's, and no session."""

    def make(owner: User, is_read_only: bool = False, **more: Any) -> Client:
        _, secret = ApiToken.objects.issue(owner, "A program", is_read_only)
        return Client(
            headers={"authorization": f"Bearer {secret}"}, enforce_csrf_checks=True, **more
        )

    return make


@pytest.fixture
def api(program: Callable[..., Client], alice: User) -> Client:
    return program(alice)
