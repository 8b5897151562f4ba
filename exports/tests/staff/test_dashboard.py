"""django-rq's pages under our Content-Security-Policy."""

import json
import pickle
import re
import zlib
from pathlib import Path

import django_rq
import pytest
from rq import SimpleWorker
from rq.job import Job

from exports import jobs
from exports.templatetags.staff import WORDS, in_words

pytestmark = pytest.mark.django_db

DASHBOARD = "/admin/django_rq/dashboard/"
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)")
LISTS = ["finished", "failed", "scheduled", "started", "deferred"]


@pytest.fixture
def queue():
    return django_rq.get_queue("default")


@pytest.fixture
def look(client, operator):
    client.force_login(operator)

    def get(path):
        response = client.get(DASHBOARD + path)
        assert response.status_code == 200, path
        return response.content.decode()

    return get


def work(queue):
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)


def test_no_page_has_inline_styles_or_scripts(look, client, task, worker, start_job, queue):
    start_job(task)
    queue.enqueue(print, job_id="another")
    job = f"queues/0/{task.job_id}/"
    lists = [f"queues/0/{name}/" for name in LISTS]
    asking = ["queues/0/empty/", "queues/0/requeue-all/", "queues/0/failed/clear/", f"{job}delete/"]
    pages = [
        "",
        "queues/0/",
        "queues/0/details/",
        "workers/0/",
        f"workers/0/{worker.key}/",
        job,
        *lists,
        *asking,
    ]
    for path in pages:
        assert not INLINE.findall(look(path)), path
    chosen = {"_selected_action": [task.job_id], "action": "delete"}
    page = client.post(f"{DASHBOARD}queues/confirm-action/0/", chosen).content.decode()
    assert task.job_id in page
    assert not INLINE.findall(page)


class Bomb:
    """What somebody could have written into the broker."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_list_names_its_jobs_and_what_can_be_done(look, queue):
    queue.enqueue(json.loads, "no JSON", job_id="broken")
    assert "broken" in look("queues/0/")
    work(queue)
    failed = look("queues/0/failed/")
    assert "broken" in failed
    assert "requeue-all/" in failed
    assert "requeue-all/" not in look("queues/0/finished/")
    assert "None." in look("queues/0/finished/")


def test_what_is_sure_is_done(look, client, queue):
    queue.enqueue(print, job_id="waiting")
    question = look("queues/0/empty/")
    assert f'action="{DASHBOARD}queues/0/empty/"' in question
    client.post(f"{DASHBOARD}queues/0/empty/")
    assert not queue.job_ids


@pytest.mark.parametrize(
    "state", ["queued", "started", "finished", "failed", "stopped", "busy", "idle", "suspended"]
)
def test_a_state_of_rq_has_a_word_of_ours(state):
    assert in_words(state) == str(WORDS[state])


def test_a_state_that_we_do_not_know_is_shown_as_it_is():
    assert in_words("rate_limited") == "rate_limited"


def test_no_page_opens_a_pickle(look, client, task, worker, start_job, queue, tmp_path):
    path = tmp_path / "exploded"
    start_job(task)
    queue.connection.hset(f"rq:job:{task.job_id}", "data", zlib.compress(pickle.dumps(Bomb(path))))
    job = f"queues/0/{task.job_id}/"
    for page in [
        "queues/0/started/",
        f"workers/0/{worker.key}/",
        job,
        f"{job}delete/",
        "queues/0/",
        "queues/0/details/",
    ]:
        look(page)
    chosen = {"_selected_action": [task.job_id], "action": "stop"}
    assert client.post(f"{DASHBOARD}queues/confirm-action/0/", chosen).status_code == 200
    assert not path.exists()


def test_progress_is_a_bar(look, task, queue):
    jobs.enqueue_export(task)
    job = Job.fetch(task.job_id, queue.connection, serializer=queue.serializer)
    job.meta["progress"] = {"done": 1200, "total": 4800}
    job.save_meta()
    page = look(f"queues/0/{task.job_id}/")
    assert '<progress max="4800" value="1200"' in page
    assert "{&#x27;" not in page


def test_from_a_job_back_to_its_export(look, task):
    back = f"/admin/exports/exporttask/{task.pk}/change/"
    jobs.enqueue_export(task)
    assert back in look(f"queues/0/{task.job_id}/")
    task.claim()
    task.fail("ERROR", "")
    mail = task.owed_mail
    jobs.enqueue_mail(mail)
    assert back in look(f"queues/0/{mail.job_id}/")


def test_what_a_job_carries_or_gives_back_is_not_shown(look, queue):
    queue.enqueue(json.dumps, "dear diary", job_id="strange")
    queue.enqueue(print, job_id="plain")
    work(queue)
    job = Job.fetch("strange", queue.connection, serializer=queue.serializer)
    assert job.return_value() == '"dear diary"'
    page = look("queues/0/strange/") + look(f"queues/0/strange/results/{job.latest_result().id}/")
    assert "diary" not in page
    assert look("queues/0/plain/")


def test_a_job_that_failed_shows_its_traceback(look, queue):
    queue.enqueue(json.loads, "no JSON", job_id="broken")
    work(queue)
    assert "JSONDecodeError" in look("queues/0/broken/")


def test_statistics_want_a_token_or_the_permission(
    client, staff_without_permissions, operator, alice
):
    stats = f"{DASHBOARD}stats.json"
    client.force_login(alice)
    assert client.get(stats).status_code == 401
    client.force_login(staff_without_permissions)
    assert client.get(stats).status_code == 403
    client.force_login(operator)
    assert client.get(stats).status_code == 200
