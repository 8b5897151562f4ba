"""A kind of task without an admin of its own, and staff who may see or operate it."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType

from blog.models import User
from tasks.tests.models import SampleMail, SampleTask

LIST = "/admin/sample/sampletask/"
MAIL_LIST = "/admin/sample/samplemail/"


@pytest.fixture
def request_task(make_user: Callable[..., User]) -> Callable[..., SampleTask]:
    """Create a waiting task of a new user."""

    def request(username: str = "bob", rows: int = 10) -> SampleTask:
        owner = make_user(username)
        task: SampleTask = SampleTask.objects.get_or_create_unfinished(owner, rows_total=rows)[0]
        return task

    return request


@pytest.fixture
def task(request_task: Callable[..., SampleTask]) -> SampleTask:
    """Create a waiting task of alice."""
    return request_task("alice")


@pytest.fixture
def failed_task(task: SampleTask) -> SampleTask:
    """Create a failed task of alice with a pending mail."""
    assert task.claim()
    assert task.fail("ERROR", "Traceback <most> recent")
    return task


@pytest.fixture
def support(make_user: Callable[..., User]) -> User:
    """Create a member of staff who may view samples and their mails."""
    user = make_user("support", is_staff=True)
    grant(user, SampleTask, "view_sampletask")
    grant(user, SampleMail, "view_samplemail")
    return user


@pytest.fixture
def operator(make_user: Callable[..., User]) -> User:
    """Create a member of staff who may also operate them, and open the queue's dashboard."""
    user = make_user("operator", is_staff=True)
    grant(user, SampleTask, "view_sampletask")
    grant(user, SampleTask, "operate_sampletask")
    grant(user, SampleMail, "view_samplemail")
    user.user_permissions.add(
        Permission.objects.get(content_type__app_label="django_rq", codename="admin")
    )
    return user


def grant(user: User, model: type[SampleTask] | type[SampleMail], codename: str) -> None:
    content_type = ContentType.objects.get_for_model(model)
    permission, _ = Permission.objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": codename}
    )
    user.user_permissions.add(permission)
