"""Who may see and do what: every URL that the resolver knows, for every role."""

import re
import uuid
from importlib import import_module

import django_rq
import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver, resolve
from model_bakery import baker

from blog.models import ApiToken, Follow, Post, Report
from conftest import PASSWORD
from exports.models.self_test import SelfTest
from exports.worker import Worker
from microblog.tests.doors import DEEDS, DOORS, POST, ROLES

pytestmark = pytest.mark.django_db

CSRF = "c" * 32
REFUSED = {"in", "401", "403", "404"}
NAMES = (
    "post",
    "report",
    "task",
    "token",
    "session",
    "person",
    "group",
    "follow",
    "test",
    "factor",
    "job",
    "worker",
    "type",
)
WRITE = re.compile(r'^(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)"(?: SET "(\w+)")?')
# What reading writes: that somebody was here, saw a notification, fetched an archive; how a self-test ended.
NOTES = {
    "django_session",
    "usersessions_usersession",
    "blog_notification",
    "exports_exportevent",
    "exports_selftest",
}


def routes(resolver, before=""):
    for pattern in resolver.url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield route


@pytest.fixture
def people(make_user, alice):
    """One of each role; alice, the owner, has whatever the URLs name."""
    import_module("exports.migrations.0005_roles").make_roles(apps, None)
    import_module("blog.migrations.0012_moderators").make(apps, None)
    made = {"visitor": None, "stranger": make_user("bob"), "owner": alice}
    for role, group in (
        ("support", "Support"),
        ("operator", "Operators"),
        ("moderator", "Moderators"),
    ):
        made[role] = make_user(role, is_staff=True)
        made[role].groups.add(Group.objects.get(name=group))
    return made | {"superuser": make_user("root", is_staff=True, is_superuser=True)}


@pytest.fixture
def names(people, make_user, downloadable_task):
    alice, carol = people["owner"], make_user("carol")
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    Client().post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    yield {
        "post": baker.make(Post, author=alice, body="Hello").pk,
        "report": baker.make(Report, reporter=alice, person=carol, reason="spam").pk,
        "task": downloadable_task.pk,
        "token": ApiToken.objects.make(alice, "A program", False)[0].pk,
        "session": alice.usersession_set.get().pk,
        "person": alice.pk,
        "group": Group.objects.get(name="Support").pk,
        "follow": baker.make(Follow, follower=alice, followed=carol).pk,
        "test": baker.make(SelfTest, actor=people["superuser"]).pk,
        "factor": TOTP.activate(carol, "JBSWY3DPEHPK3PXP").instance.pk,
        "job": queue.enqueue(print, job_id="a-job").id,
        "worker": worker.key,
        "type": ContentType.objects.get_for_model(Post).pk,
    }
    worker.register_death()


@pytest.fixture
def browser(people):
    def of(role):
        client = Client(enforce_csrf_checks=True)
        if people[role]:
            client.force_login(people[role])
        client.cookies["csrftoken"] = CSRF
        return client

    return of


class Writes(set[str]):
    """The tables that are written to while it looks on."""

    def __call__(self, execute, sql, params, many, context):
        if found := WRITE.match(sql):
            table, column = found.groups()
            if table not in NOTES and (table, column) != ("blog_user", "last_seen_at"):
                self.add(table)
        return execute(sql, params, many, context)


def ask(send, url, **more):
    """The answer in a word, and the tables that were written to."""
    with connection.execute_wrapper(writes := Writes()):
        response = send(url, **more)
    if response.streaming:
        b"".join(response.streaming_content)
    if response.status_code == 302 and re.match(r"/(accounts|admin)/login/", response.url):
        return "in", writes
    if response.status_code == 302 and re.match(r"/accounts/(2fa/)?reauthenticate/", response.url):
        return "again", writes
    return str(response.status_code), writes


def test_every_url_has_its_row():
    sample = dict.fromkeys(NAMES, 1) | {"task": uuid.uuid4(), "test": uuid.uuid4()}
    known = {resolve(url.format(**sample).partition("?")[0]).route for url in DOORS}
    assert known == {route.replace("^", "") for route in routes(get_resolver())}
    assert {url for url, answers in DOORS.items() if answers == POST} == set(DEEDS)


# Who owns everything and who may do everything come by every query.
@pytest.mark.parametrize(
    "role",
    [
        pytest.param(role, marks=[] if role in ("owner", "superuser") else pytest.mark.sqlite)
        for role in ROLES
    ],
)
def test_reading(people, names, browser, role):
    """A GET answers as the table says, and changes nothing."""
    client, number = browser(role), ROLES.index(role)
    for url, answers in DOORS.items():
        answer, writes = ask(client.get, url.format(**names))
        assert (url, answer) == (url, answers.split()[number])
        assert not writes, url


@pytest.mark.sqlite
@pytest.mark.parametrize("role", ROLES)
def test_who_may_not_read_may_not_write(people, names, browser, role):
    client, number = browser(role), ROLES.index(role)
    for url, answers in DOORS.items():
        if answers.split()[number] in REFUSED:
            answer, writes = ask(client.post, url.format(**names), headers={"x-csrftoken": CSRF})
            assert answer in REFUSED | {"405"}, url
            assert not writes, url


@pytest.mark.parametrize("role", ROLES)
def test_deeds(people, names, browser, role):
    """Each is done by those who may, and undone again here."""
    client, number = browser(role), ROLES.index(role)
    for url, answers in DEEDS.items():
        with transaction.atomic():
            answer, writes = ask(client.post, url.format(**names), headers={"x-csrftoken": CSRF})
            transaction.set_rollback(True)
        assert (url, answer) == (url, answers.split()[number])
        assert not (answer in REFUSED and writes), url


@pytest.mark.sqlite
@pytest.mark.parametrize("role", ["owner", "superuser"])
def test_nothing_changes_without_the_forms_token(people, names, browser, role):
    client = browser(role)
    for url in DOORS:
        answer, writes = ask(client.post, url.format(**names))
        assert answer in (
            {"401", "404", "405"}
            if url.startswith("/api/v1/") and "openapi" not in url
            else {"403"}
        ), url
        assert not writes, url
