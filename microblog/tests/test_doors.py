"""Who may see and do what: every URL of the resolver, for every role."""

import json
import re
import time
from importlib import import_module

import django_rq
import pytest
from allauth.mfa.totp.internal.auth import TOTP
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver
from model_bakery import baker

from blog.models import ApiToken, Follow, Post, Report
from conftest import PASSWORD
from exports.models import ExportTask, Status
from exports.models.clock import from_now
from exports.models.self_test import SelfTest
from exports.worker import Worker
from microblog.tests.doors import DOORS, ROLES, routes

pytestmark = pytest.mark.django_db

# What reading may write: that somebody was here, saw a notification, fetched an archive.
KEPT = ("django_session", "usersessions_usersession", "blog_notification", "exports_exportevent")
WRITE = re.compile(r'^(?:INSERT INTO|UPDATE|DELETE FROM) "(\w+)" ?(.*)', re.DOTALL)


@pytest.fixture
def people(make_user):
    """One of each role; alice owns whatever the URLs name."""
    import_module("exports.migrations.0005_roles").make_roles(apps, None)
    import_module("blog.migrations.0012_moderators").make(apps, None)
    made = {"visitor": None, "stranger": make_user("bob"), "owner": make_user("alice")}
    for role, group in (("support", "Support"), ("operator", "Operators"), ("moderator", "Moderators")):
        made[role] = make_user(role, is_staff=True)
        made[role].groups.add(Group.objects.get(name=group))
    return made | {"superuser": make_user("root", is_staff=True, is_superuser=True)}


@pytest.fixture
def names(people, make_user):
    """What the URLs of the table name."""
    alice, carol = people["owner"], make_user("carol")
    task = ExportTask.objects.request(alice.pk)[0]
    task.archive.save("posts.json", ContentFile(b"{}"), save=False)
    task.archive.close()
    ExportTask.objects.filter(pk=task.pk).update(
        status=Status.SUCCESSFUL, finished_at=from_now(0), archive=task.archive.name, archive_expires_at=from_now(60)
    )
    queue = django_rq.get_queue("default")
    worker = Worker([queue], connection=queue.connection)
    worker.register_birth()
    Client().post("/accounts/login/", {"login": "alice", "password": PASSWORD})
    names = {
        "task": task.pk,
        "post": baker.make(Post, author=alice, body="Hello").pk,
        "report": baker.make(Report, reporter=alice, person=carol, reason="spam").pk,
        "token": ApiToken.objects.make(alice, "A program", False)[0].pk,
        "session": UserSession.objects.filter(user=alice).first().pk,
        "person": alice.pk,
        "group": Group.objects.get(name="Support").pk,
        "follow": baker.make(Follow, follower=alice, followed=carol).pk,
        "test": baker.make(SelfTest, actor=people["superuser"]).pk,
        "factor": TOTP.activate(carol, "JBSWY3DPEHPK3PXP").instance.pk,
        "job": queue.enqueue(print, job_id="a-job").id,
        "worker": worker.key,
    }
    yield names
    worker.register_death()
    task.archive.storage.delete(task.archive.name)

def answer(response):
    if response.status_code == 302 and re.match(r"/(accounts|admin)/login/", response.url):
        return "in"
    if response.status_code == 302 and re.match(r"/accounts/(2fa/)?reauth", response.url):
        return "again"
    return str(response.status_code)

def writes(queries):
    out=set()
    for q in queries:
        if m := WRITE.match(q["sql"]):
            if m[1]=="blog_user" and "last_seen_at" in m[2][:40]: continue
            if m[1] in KEPT: continue
            out.add(m[1])
    return out

class Writes:
    def __init__(self): self.t=set()
    def __call__(self, execute, sql, params, many, context):
        if m := WRITE.match(sql):
            if not (m[1]=="blog_user" and "last_seen_at" in m[2][:40]) and m[1] not in KEPT: self.t.add(m[1])
        return execute(sql, params, many, context)

@pytest.mark.parametrize("role", ROLES)
def test_explore(people, names, role):
    rows={}
    t=time.time()
    c = Client(enforce_csrf_checks=True)
    if people[role]: c.force_login(people[role])
    c.cookies["csrftoken"]="a"*32
    def go(f, *args, **k):
        w=Writes()
        with connection.execute_wrapper(w):
            try:
                r=f(*args, **k); a=answer(r); r.streaming and b"".join(r.streaming_content)
            except Exception as e: a=repr(e)[:60]
        return a+(f"!{w.t}" if w.t else "")
    for route, pattern in routes(get_resolver()):
        url = fill(route).format(**names)
        a=go(c.get,url)
        b=go(c.post,url) if role in ("superuser",) else "-"
        d=go(c.post,url,headers={"x-csrftoken":"a"*32}) if a in ("in","403","404","401") else "-"
        rows[route]=(fill(route),a,b,d)
    from pathlib import Path
    Path(f"/tmp/locks-doors-{role}.json").write_text(json.dumps(rows))
    print(time.time()-t)

PK={"admin/r/":"post","posts/":"post","admin/blog/user":"person","reports/":"report","settings/tokens":"token","settings/sessions":"session","admin/blog/post":"post","admin/blog/report":"report","exports/":"task","admin/selftest":"test","api/v1/posts":"post","api/v1/exports":"task","admin/auth/group":"group","admin/blog/follow":"follow","admin/exports":"task","admin/mfa":"factor","admin/django_rq":"job"}
def fill(route):
    key=next((v for k,v in PK.items() if route.startswith(k)), "NONE")
    u=route
    for a,b in {"<uuid:pk>":"{%s}"%key,"<uuidstr:pk>":"{%s}"%key,"<int:pk>":"{%s}"%key,"<path:object_id>":"{%s}"%key,"<id>":"{%s}"%key,
        "<slug:kind>":"posts","<slug:decision>":"hide","<slug:name>":"cancel","<username:username>":"carol" ,"<path:content_type_id>":"1",
        "<int:queue_index>":"0","<str:job_id>":"{job}","<str:result_id>":"1","<str:key>":"{worker}","<int:scheduler_index>":"0","<int:connection_index>":"0","<str:scheduler_name>":"x","<path:cron_job_name>":"x",
        "^confirm-email/(?P<key>[-:\\w]+)/$":"confirm-email/stale/","^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$":"password/reset/key/1-stale/","^stats.json/?$":"stats.json","^stats.json/(?P<token>[\\w]+)?/?$":"stats.json/guess","^metrics/?$":"metrics","^(?P<app_label>auth|blog|exports|django_rq|mfa)/$":"blog/","(?P<url>.*)$":"nowhere"}.items():
        u=u.replace(a,b)
    if "decide" in u: u=u.replace("hide", {"user":"deactivate","post":"hide","report":"dismiss"}[u.split("/")[2]])
    return "/"+u
