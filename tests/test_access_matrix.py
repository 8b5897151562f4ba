"""Access matrix: every URL that the resolver knows, requested by every role."""

import re
import uuid
from importlib import import_module

import django_rq
import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver, resolve
from django.utils import timezone
from model_bakery import baker

from blog.accounts.allauth_internals import TOTP
from blog.models import AccountDeletion, AccountMail, ApiToken, Follow, Post, Report
from conftest import PASSWORD
from exports.models import ExportMail
from imports.models import ImportTask, Phase
from staff.models import SelfTest
from tasks.models import Status
from tasks.tests.models import SampleMail, SampleTask
from tasks.worker import Worker
from tests.access import ACCESS, POST_ACCESS, POST_ONLY, REAUTHENTICATE, ROLES, SIGN_IN

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CSRF_TOKEN = "c" * 32
REFUSALS = {SIGN_IN, 401, 403, 404}
GROUPS = {"support": "Support", "operator": "Operators", "moderator": "Moderators"}
PLACEHOLDERS = (
    *("post", "report", "task", "token", "session", "user", "group", "follow", "test", "factor"),
    *(
        "job",
        "worker",
        "type",
        "exportmail",
        "accountmail",
        "deletion",
        "sample",
        "samplemail",
        "import",
    ),
)
UUIDS = ("task", "import", "test")
WRITE = re.compile(r'^(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"(?: SET "(\w+)")?')
# Tables that reading may change: sessions, read notifications, the event of a download, and the
# result of a self-test.
WRITTEN_BY_READING = {
    "django_session",
    "usersessions_usersession",
    "blog_notification",
    "exports_exportevent",
    "staff_selftest",
}


def all_routes(resolver, prefix=""):
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from all_routes(pattern, route)
        else:
            yield route


@pytest.fixture
def users(make_user, alice):
    """Create a user for each role; alice, the owner, owns what the URLs name."""
    import_module("exports.migrations.0005_roles").make_roles(apps, None)
    import_module("exports.migrations.0008_mail_roles").add_permissions(apps, None)
    import_module("blog.migrations.0012_moderators").make(apps, None)
    staff = {role: make_user(role, is_staff=True) for role in GROUPS}
    for role, group in GROUPS.items():
        staff[role].groups.add(Group.objects.get(name=group))
    return {
        "visitor": None,
        "stranger": make_user("bob"),
        "owner": alice,
        **staff,
        "superuser": make_user("root", is_staff=True, is_superuser=True),
    }


@pytest.fixture
def finished_import(alice):
    """Create an import of alice that has ended, with its report."""
    task = baker.make(
        ImportTask,
        owner=alice,
        source="mastodon",
        phase=Phase.IMPORT,
        status=Status.SUCCESSFUL,
        imported_at=timezone.now(),
    )
    task.report.save("imports/report.csv", ContentFile(b"Date,Id,Address,Reason"))
    yield task
    task.report.delete(save=False)


@pytest.fixture
def objects(users, make_user, downloadable_task, finished_import):
    """Create an object for each placeholder of a URL."""
    alice, carol = users["owner"], make_user("carol")
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    Client().post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    sample, _ = SampleTask.objects.get_or_create_unfinished(alice)
    yield {
        "post": baker.make(Post, author=alice, body="Hello").pk,
        "report": baker.make(Report, reporter=alice, person=carol, reason="spam").pk,
        "task": downloadable_task.pk,
        "import": finished_import.pk,
        "token": ApiToken.objects.issue(alice, "A program", False)[0].pk,
        "session": alice.usersession_set.get().pk,
        "user": alice.pk,
        "group": Group.objects.get(name="Support").pk,
        "follow": baker.make(Follow, follower=alice, followed=carol).pk,
        "test": baker.make(SelfTest, actor=users["superuser"]).pk,
        "factor": TOTP.activate(carol, "JBSWY3DPEHPK3PXP").instance.pk,
        "job": queue.enqueue(print, job_id="a-job").id,
        "worker": worker.key,
        "exportmail": baker.make(ExportMail, task=downloadable_task).pk,
        "accountmail": baker.make(AccountMail, user=alice).pk,
        "deletion": baker.make(AccountDeletion, owner=None).pk,
        "sample": sample.pk,
        "samplemail": baker.make(SampleMail, task=sample).pk,
        "type": ContentType.objects.get_for_model(Post).pk,
    }
    worker.register_death()


@pytest.fixture
def client_of(users):
    def client_of(role):
        client = Client(enforce_csrf_checks=True)
        if users[role]:
            client.force_login(users[role])
        client.cookies["csrftoken"] = CSRF_TOKEN
        return client

    return client_of


class WrittenTables(set[str]):
    """Names of the tables that queries change, for `connection.execute_wrapper`."""

    def __call__(self, execute, sql, params, many, context):
        if match := WRITE.match(sql):
            table, column = match.groups()
            if table not in WRITTEN_BY_READING and (table, column) != ("blog_user", "last_seen_at"):
                self.add(table)
        return execute(sql, params, many, context)


def request(send, url, **arguments):
    """Return the response as in `tests.access`, and the tables that the request changed."""
    with connection.execute_wrapper(written := WrittenTables()):
        response = send(url, **arguments)
    if response.streaming:
        b"".join(response.streaming_content)
    if response.status_code == 302 and re.match(r"/(accounts|admin)/login/", response.url):
        return SIGN_IN, written
    if response.status_code == 302 and re.match(r"/accounts/(2fa/)?reauthenticate/", response.url):
        return REAUTHENTICATE, written
    return response.status_code, written


def test_every_url_has_a_row():
    sample = dict.fromkeys(PLACEHOLDERS, 1) | dict.fromkeys(UUIDS, uuid.uuid4())
    known = {resolve(url.format(**sample).partition("?")[0]).route for url in ACCESS}
    assert known == {route.replace("^", "") for route in all_routes(get_resolver())}
    assert {url for url, row in ACCESS.items() if row == POST_ONLY} == set(POST_ACCESS)


# The owner and the superuser together run every query, so only they run on PostgreSQL.
@pytest.mark.parametrize(
    "role",
    [
        pytest.param(role, marks=[] if role in ("owner", "superuser") else pytest.mark.sqlite)
        for role in ROLES
    ],
)
def test_get_answers_as_in_matrix(objects, client_of, role):
    client = client_of(role)
    for url, row in ACCESS.items():
        answer, written = request(client.get, url.format(**objects))
        assert (url, answer) == (url, row[role])
        assert not written, url


@pytest.mark.sqlite
@pytest.mark.parametrize("role", ROLES)
def test_post_is_refused_where_get_is(objects, client_of, role):
    client = client_of(role)
    for url, row in ACCESS.items():
        if row[role] in REFUSALS:
            answer, written = request(
                client.post, url.format(**objects), headers={"x-csrftoken": CSRF_TOKEN}
            )
            assert answer in REFUSALS | {405}, url
            assert not written, url


@pytest.mark.parametrize("role", ROLES)
def test_post_answers_as_in_matrix(objects, client_of, role):
    client = client_of(role)
    for url, row in POST_ACCESS.items():
        with transaction.atomic():
            answer, written = request(
                client.post, url.format(**objects), headers={"x-csrftoken": CSRF_TOKEN}
            )
            transaction.set_rollback(True)
        assert (url, answer) == (url, row[role])
        assert not (answer in REFUSALS and written), url


@pytest.mark.sqlite
@pytest.mark.parametrize("role", ["owner", "superuser"])
def test_post_without_csrf_token_changes_nothing(objects, client_of, role):
    client = client_of(role)
    for url in ACCESS:
        answer, written = request(client.post, url.format(**objects))
        is_api = url.startswith("/api/v1/") and "openapi" not in url
        assert answer in ({401, 404, 405} if is_api else {403}), url
        assert not written, url
