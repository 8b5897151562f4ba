"""The way of an import: upload, preview, confirm, import, undo."""

import csv
import io
import uuid
import zipfile
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from django.utils.html import strip_tags
from model_bakery import baker

from blog.accounts.deletion import request_deletion
from blog.models import AccountMail, Follow, Mute, Notification, Post
from conftest import delete_account, run_jobs
from imports import phases, sweeper, writing
from imports.models import Event, ImportTask, Phase, upload_storage
from imports.models.task import KEEP_UPLOAD_DAYS, UNDO_DAYS
from imports.tests.conftest import ARCHIVE, posts_json
from imports.tests.readers.test_fixtures import EXPECTED, fixture
from imports.uploads import upload_slot
from tasks.models import Status, TaskFailed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def stored_files():
    try:
        return upload_storage().listdir("imports")[1]
    except FileNotFoundError:
        return []


@pytest.fixture(autouse=True)
def empty_storage():
    for name in stored_files():
        phases.delete_file(f"imports/{name}")


def age(task, days):
    long_ago = timezone.now() - timedelta(days=days)
    ImportTask.objects.filter(pk=task.pk).update(created_at=long_ago, imported_at=long_ago)
    task.refresh_from_db()


def test_preview_counts_and_writes_no_posts(alice, previewed, client):
    assert previewed.is_previewed
    assert previewed.preview["years"] == {"2019": 1, "2020": 2}
    assert previewed.preview["excluded"] == {"DATE": 1}
    assert [sample["body"] for sample in previewed.preview["samples"]] == [
        "first",
        "second",
        "second",
    ]
    assert not Post.objects.exists()
    page = client.get(previewed.get_absolute_url()).content.decode()
    assert "Its date is missing, in the future or too far in the past" in page
    assert "2020 (2)" in page


def test_preview_counts_posts_that_are_here(alice, upload, run):
    Post.objects.create(author=alice, body="first", created_at="2019-05-17T12:00:00+00:00")
    upload()
    assert run(ImportTask.objects.get()).preview["here_already"] == 1


def test_confirmed_import_writes_posts_and_tells_numbers(alice, imported):
    assert imported.status == Status.SUCCESSFUL
    assert imported.imported == 3
    posts = Post.objects.oldest_first()
    assert [post.body for post in posts] == ["first", "second", "second"]
    assert {(post.source, post.import_id) for post in posts} == {("microblog", imported.pk)}
    run_jobs()
    [message] = mail.outbox
    assert message.to == [alice.email]
    assert "3 posts from Microblog are in your account now." in message.body
    assert "1 entry of the archive was left out." in message.body
    assert not Notification.objects.exclude(name=f"import:{imported.pk}").exists()


def test_chosen_year_is_imported_alone(previewed, confirm, run):
    confirm(previewed, years=["2019"])
    previewed.refresh_from_db()
    run(previewed)
    assert [post.body for post in Post.objects.all()] == ["first"]


def test_report_names_what_was_left_out(client, imported):
    response = client.get(f"{imported.get_absolute_url()}report/")
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    response.close()
    [_head, row] = csv.reader(io.StringIO(text))
    assert row[0] == "2999-01-01T00:00:00+00:00"
    assert row[3] == "Its date is missing, in the future or too far in the past"


def test_report_cells_cannot_be_formulas():
    file = io.BytesIO()
    phases.Report(file).add_person("=1+1")
    assert "'=1+1" in file.getvalue().decode()


def test_finished_import_deletes_upload(imported):
    sweeper.delete_unneeded_files()
    assert [name for name in stored_files() if name.endswith(".upload")] == []


def test_undo_deletes_unedited_posts_and_names_others(client, imported, run):
    edited = Post.objects.get(body="first")
    client.post(f"/posts/{edited.pk}/edit/", {"body": "first, edited"})
    client.post(f"{imported.get_absolute_url()}undo/")
    imported.refresh_from_db()
    task = run(imported)
    assert task.is_undone
    assert Post.objects.get() == edited
    page = client.get(task.get_absolute_url()).content.decode()
    assert f'<a href="/posts/{edited.pk}/">first, edited</a>' in page
    assert "1 post was kept" in page


def test_import_again_after_undo(client, imported, run, upload, confirm):
    client.post(f"{imported.get_absolute_url()}undo/")
    imported.refresh_from_db()
    run(imported)
    assert not Post.objects.exists()
    upload()
    task = run(ImportTask.objects.exclude(pk=imported.pk).get())
    confirm(task)
    task.refresh_from_db()
    assert run(task).imported == 3


def test_same_archive_again_adds_nothing(imported, upload, run, confirm):
    upload()
    task = run(ImportTask.objects.exclude(pk=imported.pk).get())
    assert task.preview["here_already"] == 3
    confirm(task)
    task.refresh_from_db()
    assert run(task).imported == 0
    assert Post.objects.count() == 3


def test_undo_ends_after_thirty_days(client, imported):
    age(imported, UNDO_DAYS + 1)
    client.post(f"{imported.get_absolute_url()}undo/")
    imported.refresh_from_db()
    assert (imported.phase, imported.status) == (Phase.IMPORT, Status.SUCCESSFUL)


def test_undo_waits_for_end_of_another_import(client, imported, upload):
    upload()
    response = client.post(f"{imported.get_absolute_url()}undo/", follow=True)
    assert b"Another import is in progress." in response.content
    imported.refresh_from_db()
    assert imported.phase == Phase.IMPORT


def test_discarded_preview_deletes_upload(client, previewed):
    assert len(stored_files()) == 1
    client.post(f"{previewed.get_absolute_url()}cancel/")
    previewed.refresh_from_db()
    assert previewed.status == Status.CANCELLED
    assert stored_files() == []


def test_unconfirmed_preview_expires(previewed):
    age(previewed, KEEP_UPLOAD_DAYS + 1)
    sweeper.discard_abandoned_previews()
    sweeper.delete_unneeded_files()
    previewed.refresh_from_db()
    assert previewed.status == Status.CANCELLED
    assert previewed.events.filter(kind=Event.EXPIRED).exists()
    assert stored_files() == []


def test_recent_preview_does_not_expire(previewed):
    sweeper.discard_abandoned_previews()
    sweeper.delete_unneeded_files()
    previewed.refresh_from_db()
    assert previewed.is_previewed
    assert len(stored_files()) == 1


def test_orphaned_files_are_deleted_when_old(previewed, monkeypatch):
    upload_storage().save("imports/orphan.upload", io.BytesIO(b"x"))
    sweeper.delete_orphaned_files()
    assert len(stored_files()) == 2
    monkeypatch.setattr(sweeper, "ORPHAN_AGE", timedelta(0))
    sweeper.delete_orphaned_files()
    assert stored_files() == [f"{previewed.pk}.upload"]


def test_second_upload_is_rejected_and_not_kept(previewed, upload):
    response = upload()
    assert response.status_code == 409
    assert "You have an import in progress already." in response.content.decode()
    assert len(stored_files()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello", "This is not an archive of Microblog, Mastodon, X or Bluesky"),
        (b"age-encryption.org/v1\n", "The archive is encrypted with age."),
        (b"PK\x03\x04 broken", "The archive is damaged or incomplete."),
        (b'{"version": 2, "username": "a", "posts": []}', "newer version of Microblog"),
        (b'{"version": 1, "username": "a", "posts": [{"body": "a', "damaged or incomplete"),
    ],
)
def test_wrong_upload_gets_sentence_and_is_not_kept(upload, run, content, message, client):
    response = upload(content)
    if response.status_code == 302:  # only reading it as a whole shows that it is damaged
        task = run(ImportTask.objects.get())
        assert task.status == Status.FAILED
        response = client.get(task.get_absolute_url())
    sweeper.delete_unneeded_files()
    assert message in response.content.decode()
    assert stored_files() == []
    assert not Post.objects.exists()


def test_hostile_zip_is_refused(upload):
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("outbox.json", b"0" * 40_000_000)
    response = upload(bomb.getvalue(), "bomb.zip")
    assert response.status_code == 422
    assert "compressed more strongly" in response.content.decode()
    assert stored_files() == []


def test_refused_archive_mails_no_admins(upload, run, caplog):
    upload(b'{"version": 1, "username": "a", "posts": [{"body": "a')
    run(ImportTask.objects.get())
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_large_body_is_refused_unread(client, alice, settings):
    settings.IMPORT_MAX_BYTES = 1000
    client.force_login(alice)
    response = client.post("/imports/", b"x" * 200_000, content_type="text/plain")
    assert response.status_code == 413
    assert "larger than an import may be" in response.content.decode()


def test_large_file_is_refused(upload, settings):
    settings.IMPORT_MAX_BYTES = 10
    assert upload().status_code == 422
    assert not ImportTask.objects.exists()


def test_upload_waits_for_free_slot(upload, settings):
    settings.IMPORT_MAX_UPLOADS = 1
    with upload_slot():
        response = upload()
        assert (response.status_code, response["Retry-After"]) == (503, "60")
        assert not ImportTask.objects.exists()
    assert upload().status_code == 302


def test_upload_without_file_is_rejected(client, alice):
    client.force_login(alice)
    assert client.post("/imports/").status_code == 422


def test_new_account_cannot_confirm(alice, previewed, confirm):
    alice.date_joined = timezone.now()
    alice.save(update_fields=["date_joined"])
    response = confirm(previewed)
    assert response.status_code == 422
    assert "Your account is too new" in response.content.decode()


def test_unconfirmed_address_cannot_confirm(alice, previewed, confirm):
    alice.emailaddress_set.update(verified=False)
    assert "Please confirm your e-mail address first." in confirm(previewed).content.decode()


@pytest.mark.parametrize(("years", "status"), [(["2019", "2020"], 422), (["2019"], 302)])
def test_more_posts_than_allowed_need_fewer_years(previewed, confirm, settings, years, status):
    settings.IMPORT_MAX_POSTS = 2
    assert confirm(previewed, years=years).status_code == status


@pytest.mark.parametrize("years", [[], ["1999"], ["x"]])
def test_wrong_years_are_rejected(previewed, confirm, years):
    assert confirm(previewed, years=years).status_code == 422
    previewed.refresh_from_db()
    assert previewed.is_previewed


def test_second_confirmation_changes_nothing(previewed, confirm):
    confirm(previewed)
    confirm(previewed)
    previewed.refresh_from_db()
    assert previewed.attempt == 2


def test_killed_import_is_continued_without_doubles(previewed, confirm, run, monkeypatch):
    monkeypatch.setattr(writing, "BATCH_SIZE", 1)
    confirm(previewed)
    previewed.refresh_from_db()
    checkpoint = ImportTask.checkpoint

    def interrupt(task, rows_done):
        if rows_done == 2:
            raise KeyboardInterrupt  # not caught by the job, as a kill
        checkpoint(task, rows_done)

    monkeypatch.setattr(ImportTask, "checkpoint", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(previewed)
    assert Post.objects.count() == 1
    monkeypatch.setattr(ImportTask, "checkpoint", checkpoint)
    previewed.refresh_from_db()
    assert previewed.release()
    assert run(previewed).imported == 3
    assert Post.objects.count() == 3


def test_cancel_stops_import_between_batches(client, previewed, confirm, run, monkeypatch):
    monkeypatch.setattr(writing, "BATCH_SIZE", 1)
    confirm(previewed)
    previewed.refresh_from_db()
    checkpoint = ImportTask.checkpoint

    def cancel(task, rows_done):
        checkpoint(task, rows_done)
        if rows_done == 1:
            ImportTask.objects.get(pk=task.pk).cancel()

    monkeypatch.setattr(ImportTask, "checkpoint", cancel)
    task = run(previewed)
    assert task.status == Status.CANCELLED
    assert Post.objects.count() == 1
    page = client.get(task.get_absolute_url()).content.decode()
    assert "Posts of this import 1 " in " ".join(strip_tags(page.replace("</dt>", " ")).split())
    assert task.is_undoable


def test_failed_import_is_mailed(alice, previewed, confirm, run, monkeypatch):
    confirm(previewed)
    previewed.refresh_from_db()

    def fail(*args):
        raise TaskFailed("ERROR")

    monkeypatch.setitem(phases.PERFORM, Phase.IMPORT, fail)
    assert run(previewed).status == Status.FAILED
    run_jobs()
    assert "could not be finished" in mail.outbox[0].body


@pytest.mark.parametrize("does_fail", [False, True])
def test_mail_is_in_language_of_request(alice, previewed, confirm, run, monkeypatch, does_fail):
    assert alice.language == ""
    confirm(previewed)
    ImportTask.objects.update(language="es")
    previewed.refresh_from_db()
    if does_fail:

        def fail(*args):
            raise TaskFailed("ERROR")

        monkeypatch.setitem(phases.PERFORM, Phase.IMPORT, fail)
    run(previewed)
    run_jobs()
    [message] = mail.outbox
    assert "Hola" in message.body


def test_post_edited_during_undo_is_kept(alice, monkeypatch):
    task_id = uuid.uuid4()
    posts = baker.make(Post, author=alice, import_id=task_id, _quantity=2)
    since = timezone.now()
    batches = writing._batches_of_keys

    def edit_after_reading(rows):
        for keys in batches(rows):
            Post.objects.filter(pk=posts[0].pk).update(edited_at=timezone.now())
            yield keys

    monkeypatch.setattr(writing, "_batches_of_keys", edit_after_reading)
    assert writing.delete_posts(writing.undoable(task_id, since), lambda deleted: None) == 1
    assert Post.objects.get() == posts[0]


def test_account_archive_brings_people_and_profile(
    alice, bob, make_user, client, upload, run, confirm
):
    carol = make_user("carol")
    files = {
        "manifest.json": '{"version": 1, "username": "alice", "files": []}',
        "posts.json": posts_json().decode(),
        "profile.json": '{"profile": {"about_me": "Writes."}}',
        "following.json": '{"following": [{"name": "BOB"}, {"name": "nobody"}]}',
        "mutes.json": '{"mutes": [{"name": "carol"}]}',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    upload(packed.getvalue(), "account.zip")
    task = run(ImportTask.objects.get())
    assert task.preview["people"]["following"] == {"names": ["bob"], "found": 1, "total": 2}
    confirm(task, years=[], options=["following", "mutes", "profile"])
    task.refresh_from_db()
    task = run(task)
    assert Follow.objects.get().followed == bob
    assert Mute.objects.get().muted == carol
    alice.refresh_from_db()
    assert alice.about_me == "Writes."
    assert not bob.notifications.exists()
    with task.report.open("rb") as report:
        assert b"nobody" in report.read()


@pytest.mark.parametrize("source", EXPECTED)
def test_each_source_gives_expected_numbers(upload, run, source):
    upload(fixture(source).getvalue(), source)
    task = run(ImportTask.objects.get())
    assert task.source == source
    assert task.preview["posts"] == len(EXPECTED[source]["imported"])


def test_account_deletion_removes_uploads(alice, previewed):
    request_deletion(alice)
    assert stored_files() == []
    previewed.refresh_from_db()
    assert previewed.status == Status.CANCELLED


def test_account_deletion_deletes_import_and_posts(alice, imported):
    delete_account(alice)
    assert not ImportTask.objects.exists()
    assert not Post.objects.exists()
    assert stored_files() == []


def test_other_people_cannot_see_import(client, bob, previewed):
    client.force_login(bob)
    for path in ("", "report/"):
        assert client.get(previewed.get_absolute_url() + path).status_code == 404
    for path in ("", "cancel/", "undo/"):
        assert client.post(previewed.get_absolute_url() + path).status_code == 404


def test_mail_of_import_is_kept_in_outbox(imported):
    assert AccountMail.objects.filter(user=imported.owner).count() == 1


def test_queued_job_reads_archive(upload):
    upload(ARCHIVE)
    run_jobs()
    assert ImportTask.objects.get().is_previewed
