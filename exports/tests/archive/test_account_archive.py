"""Contents of an account archive."""

import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core import mail
from django.db import connection
from django.utils import translation

from blog.models import (
    ApiToken,
    Block,
    Conversation,
    Follow,
    Message,
    Mute,
    Notification,
    Post,
    Report,
)
from exports import delivery
from exports.archive import build as archive
from exports.archive.kinds import KINDS
from exports.archive.output import Output
from exports.archive.sections import SECTIONS
from exports.models import ExportTask
from tasks import jobs

from .test_snapshot import run_concurrently

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRETS = (
    "argon2",
    "pbkdf2",
    "JBSWY3DPEHPK3PXP",
    "the-key-of-a-session",
    "the hash of a password",
    "the digest of a token",
    "what bob holds against alice",
)


def unzip(data):
    with zipfile.ZipFile(io.BytesIO(data)) as zip_file:
        assert zip_file.testzip() is None
        return {name: zip_file.read(name) for name in zip_file.namelist()}


@pytest.fixture
def read_files(build_archive):
    """Read the files of a user's account archive: parsed JSON, or text."""

    def read(user):
        files = unzip(build_archive(user, "account"))
        return {
            name: json.loads(content) if name.endswith(".json") else content.decode()
            for name, content in files.items()
        }

    return read


@pytest.fixture
def write_message():
    """Write a message from one user to another, at a number of minutes after noon."""

    def write(sender, recipient, body, minutes, **fields):
        conversation = Conversation.objects.get_or_create_between(sender, recipient)
        Conversation.objects.filter(pk=conversation.pk).update(created_at=NOON)
        return Message.objects.create(
            conversation=conversation,
            sender=sender,
            recipient=recipient,
            body=body,
            created_at=NOON + timedelta(minutes=minutes),
            **fields,
        )

    return write


@pytest.fixture
def full_account(alice, bob, staff, make_user, write_message):
    """Give alice a row in every section, and others rows about alice."""
    carol = make_user("carol")
    alice.about_me, alice.last_login, alice.date_joined = "Writes 漢字 & <tags>", NOON, NOON
    alice.save()
    post = Post.objects.create(
        author=alice, body="Hidden \u2028", created_at=NOON, edited_at=NOON, hidden_at=NOON
    )
    Post.objects.filter(pk=post.pk).update(hidden_by=staff, hidden_reason="off topic")
    theirs = Post.objects.create(author=bob, body="bob's own", created_at=NOON)
    Follow.objects.create(follower=alice, followed=bob, created_at=NOON)
    Follow.objects.create(follower=carol, followed=alice, created_at=NOON)
    Follow.objects.create(follower=carol, followed=bob, created_at=NOON)
    write_message(alice, bob, "hello", 1, read_at=NOON)
    write_message(alice, carol, "hi carol", 2)
    write_message(bob, alice, "hello yourself", 3)
    write_message(bob, carol, "not for alice", 4)
    Notification.objects.upsert(alice.pk, "follow:7", {"username": "carol"}, actor=carol, post=post)
    Notification.objects.upsert(alice.pk, "export:7", {"status": "RUNNING"}, is_listed=False)
    Notification.objects.upsert(bob.pk, "follow:1", {"username": "alice"}, actor=alice)
    Notification.objects.update(updated_at=NOON)
    about = {"created_at": NOON, "handled_at": NOON, "handled_by": staff, "outcome": "HIDDEN"}
    Report.objects.create(
        reporter=alice, person=bob, post=theirs, excerpt="bob's own", reason="SPAM", **about
    )
    Report.objects.create(
        reporter=bob, person=alice, reason="ABUSE", comment="what bob holds against alice", **about
    )
    Block.objects.create(blocker=alice, blocked=carol, created_at=NOON)
    Block.objects.create(blocker=bob, blocked=alice)
    Mute.objects.create(muter=alice, muted=bob, created_at=NOON)
    Mute.objects.create(muter=carol, muted=alice)
    EmailAddress.objects.create(user=alice, email="next@microblog.example")
    UserSession.objects.create(
        user=alice,
        ip="192.0.2.1",
        user_agent="Browser",
        session_key="the-key-of-a-session",
        last_seen_at=NOON,
    )
    UserSession.objects.update(created_at=NOON)
    Authenticator.objects.create(
        user=alice, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"}, created_at=NOON
    )
    about_token = {"auth_hash": "the hash of a password", "created_at": NOON}
    ApiToken.objects.create(
        owner=alice, name="Robot", is_read_only=True, digest="the digest of a token", **about_token
    )
    return {"post": post.pk, "theirs": theirs.pk}


def test_account_archive_has_only_the_owners_data(alice, full_account, read_files):
    noon = "2026-11-23T12:00:00Z"
    files = read_files(alice)
    heads = {
        name: file for name, file in files.items() if name not in ("README.txt", "manifest.json")
    }
    assert all((file["version"], file["username"]) == (1, "alice") for file in heads.values())
    assert {name: file[name.removesuffix(".json")] for name, file in heads.items()} == {
        "api_tokens.json": [
            {"name": "Robot", "is_read_only": True, "since": noon, "last_used_at": None}
        ],
        "profile.json": {
            "username": "alice",
            "email": "alice@microblog.example",
            "about_me": "Writes 漢字 & <tags>",
            "language": "",
            "time_zone": "",
            "has_follow_mail": False,
            "has_mention_mail": False,
            "has_message_mail": True,
            "joined_at": noon,
            "last_sign_in_at": noon,
            "last_seen_at": None,
        },
        "posts.json": [
            {
                "id": full_account["post"],
                "body": "Hidden \u2028",
                "timestamp": noon,
                "edited_at": noon,
                "hidden_at": noon,
                "hidden_reason": "off topic",
                "source": "",
                "source_id": "",
                "source_url": "",
            }
        ],
        "following.json": [{"name": "bob", "since": noon}],
        "followers.json": [{"name": "carol", "since": noon}],
        "messages.json": [
            {
                "with": "bob",
                "since": noon,
                "messages": [
                    {
                        "from": "alice",
                        "body": "hello",
                        "timestamp": "2026-11-23T12:01:00Z",
                        "read_at": noon,
                    },
                    {
                        "from": "bob",
                        "body": "hello yourself",
                        "timestamp": "2026-11-23T12:03:00Z",
                        "read_at": None,
                    },
                ],
            },
            {
                "with": "carol",
                "since": noon,
                "messages": [
                    {
                        "from": "alice",
                        "body": "hi carol",
                        "timestamp": "2026-11-23T12:02:00Z",
                        "read_at": None,
                    }
                ],
            },
        ],
        "notifications.json": [
            {
                "about": "follow:7",
                "facts": {"username": "carol"},
                "person": "carol",
                "post": full_account["post"],
                "timestamp": noon,
                "read_at": None,
            }
        ],
        "reports.json": [
            {
                "person": "bob",
                "post": full_account["theirs"],
                "excerpt": "bob's own",
                "reason": "SPAM",
                "comment": "",
                "timestamp": noon,
                "handled_at": noon,
            }
        ],
        "blocks.json": [{"name": "carol", "since": noon}],
        "mutes.json": [{"name": "bob", "since": noon}],
        "email_addresses.json": [
            {"email": "alice@microblog.example", "is_confirmed": True, "is_primary": True},
            {"email": "next@microblog.example", "is_confirmed": False, "is_primary": False},
        ],
        "sessions.json": [
            {"user_agent": "Browser", "ip": "192.0.2.1", "since": noon, "last_seen_at": noon}
        ],
        "second_factors.json": [{"type": "totp", "since": noon, "last_used_at": None}],
    }
    assert not [secret for secret in SECRETS if secret in json.dumps(files)]


def test_manifest_counts_and_hashes_every_file(alice, full_account, build_archive, progress_spy):
    files = unzip(build_archive(alice, "account"))
    manifest = json.loads(files.pop("manifest.json"))
    assert manifest["files"] == [
        {
            "name": name,
            "count": json.loads(content)["count"] if name.endswith(".json") else 0,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        for name, content in files.items()
    ]
    assert manifest["count"] == sum(file["count"] for file in manifest["files"]) == 16
    assert KINDS["account"].count_rows(alice) == progress_spy.reported[-1] == 16


def test_empty_account_gives_valid_archive(alice, read_files):
    assert read_files(alice)["messages.json"] == {
        "version": 1,
        "username": "alice",
        "messages": [],
        "count": 0,
    }


def test_equal_account_contents_give_equal_bytes(alice, full_account, build_archive):
    assert build_archive(alice, "account") == build_archive(alice, "account")


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_account_archive_does_not_depend_on_chunk_size(
    alice, full_account, read_files, monkeypatch, rows
):
    expected = read_files(alice)
    monkeypatch.setattr(archive, "CHUNK_ROWS", rows)
    assert read_files(alice) == expected


def test_readme_is_in_active_language(alice, read_files):
    assert "The account of alice on Microblog" in read_files(alice)["README.txt"]
    with translation.override("es"):
        assert "Your posts" not in read_files(alice)["README.txt"]


def test_each_section_takes_one_select(
    alice, full_account, write_message, bob, progress_spy, django_assert_num_queries
):
    Post.objects.bulk_create([Post(author=alice, body="one of many") for _ in range(50)])
    for number in range(50):
        write_message(bob, alice, "one of many", 60 + number)
    with django_assert_num_queries(len(SECTIONS)):
        archive.build("account", alice, Output(io.BytesIO()), progress_spy)


@pytest.mark.django_db(transaction=True)
def test_all_sections_share_one_snapshot(
    alice, bob, full_account, write_message, read_files, progress_spy, monkeypatch
):
    expected = read_files(alice)

    def change_rows():
        Post.objects.create(author=alice, body="written during the build")
        write_message(bob, alice, "said during the build", 60)
        Follow.objects.all().delete()
        Notification.objects.upsert(alice.pk, "follow:8", {})

    def report(rows_done):
        if rows_done and not changes:
            changes.append("done")
            run_concurrently(change_rows)

    changes = []
    monkeypatch.setattr(progress_spy, "report", report)
    assert read_files(alice) == expected
    assert read_files(alice)["following.json"]["count"] == 0


@pytest.mark.django_db(transaction=True)
def test_failed_account_build_leaves_writable_connection(
    alice, full_account, progress_spy, monkeypatch
):
    def report(rows_done):
        raise RuntimeError

    monkeypatch.setattr(progress_spy, "report", report)
    with pytest.raises(RuntimeError):
        archive.build("account", alice, Output(io.BytesIO()), progress_spy)
    assert not connection.in_atomic_block
    Post.objects.create(author=alice, body="afterwards")


@pytest.mark.django_db(transaction=True)
def test_account_archive_is_mailed_as_account_zip(alice, full_account):
    task = ExportTask.objects.request(alice, "account")[0]
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    message = mail.outbox[-1]
    [attachment] = message.attachments
    assert message.subject == "[Microblog] Your account"
    assert "16 entries" in message.body
    assert "account.zip" in message.body
    assert (attachment.filename, attachment.mimetype) == ("account.zip", "application/zip")
    assert hashlib.sha256(attachment.content).hexdigest() == task.archive_sha256
    assert (task.rows_done, task.rows_total) == (16, 16)


@pytest.mark.django_db(transaction=True)
def test_mailed_readme_is_in_owners_language(make_user):
    task = ExportTask.objects.request(make_user("carol", language="es"), "account", language="en")[
        0
    ]
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    with translation.override("es"):
        assert (
            translation.gettext("Your posts")
            in unzip(mail.outbox[-1].attachments[0].content)["README.txt"].decode()
        )


@pytest.mark.django_db(transaction=True)
def test_large_account_archive_is_linked_not_rezipped(client, alice, full_account, settings):
    settings.EXPORT_MAIL_LIMIT = delivery.MESSAGE_OVERHEAD_BYTES
    task = ExportTask.objects.request(alice, "account")[0]
    jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    task.refresh_from_db()
    assert mail.outbox[-1].attachments == []
    assert f"http://testserver/exports/{task.pk}/" in mail.outbox[-1].body
    client.force_login(alice)
    response = client.get(f"/exports/{task.pk}/download/")
    assert response.headers["Content-Disposition"] == 'attachment; filename="account.zip"'
    assert "profile.json" in unzip(b"".join(response.streaming_content))


@pytest.mark.django_db(transaction=True)
def test_failure_mail_names_the_account(alice, break_build):
    break_build(ZeroDivisionError())
    task = ExportTask.objects.request(alice, "account")[0]
    with pytest.raises(ZeroDivisionError):
        jobs.run_task("exports.ExportTask", str(task.pk), task.attempt)
    delivery.compose_for_owner(task.mails.get()).send()
    assert mail.outbox[-1].subject == "[Microblog] Your account could not be exported"
    assert "archive of your account" in mail.outbox[-1].body


def test_messages_are_read_in_index_order(alice, bob, make_user, write_message):
    for name in ("carol", "dave"):
        other = make_user(name)
        for number in range(30):
            write_message(other, alice, "one of many", number)
    [section] = [section for section in SECTIONS if section.name == "messages"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_hashjoin = off")
            cursor.execute("SET LOCAL enable_mergejoin = off")
    plan = section.queryset_for(alice).values_list(*section.field_paths.values()).explain()
    assert "blog_message_pages" in plan
    assert "TEMP B-TREE" not in plan
