"""django-rq's dashboard: its pages, privacy, and Content-Security-Policy."""

import json
import pickle
import re
import zlib
from pathlib import Path

import django_rq
import pytest
from rq import SimpleWorker
from rq.job import Job

from staff.templatetags.staff import RQ_LABELS, rq_label
from tasks import jobs

pytestmark = pytest.mark.django_db

DASHBOARD = "/admin/django_rq/dashboard/"
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)")
LISTS = ["finished", "failed", "scheduled", "started", "deferred"]


@pytest.fixture
def queue():
    return django_rq.get_queue("default")


@pytest.fixture
def get_page(client, operator):
    client.force_login(operator)

    def get(path):
        response = client.get(DASHBOARD + path)
        assert response.status_code == 200, path
        return response.content.decode()

    return get


def run_worker(queue):
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)


def test_rq_pages_have_no_inline_styles_or_scripts(
    get_page, client, task, worker, start_job, queue
):
    start_job(task)
    queue.enqueue(print, job_id="another")
    job = f"queues/0/{task.job_id}/"
    lists = [f"queues/0/{name}/" for name in LISTS]
    confirmations = [
        "queues/0/empty/",
        "queues/0/requeue-all/",
        "queues/0/failed/clear/",
        f"{job}delete/",
    ]
    pages = [
        "",
        "queues/0/",
        "queues/0/details/",
        "workers/0/",
        f"workers/0/{worker.key}/",
        job,
        *lists,
        *confirmations,
    ]
    for path in pages:
        assert not INLINE.findall(get_page(path)), path
    form = {"_selected_action": [task.job_id], "action": "delete"}
    page = client.post(f"{DASHBOARD}queues/confirm-action/0/", form).content.decode()
    assert task.job_id in page
    assert not INLINE.findall(page)


class Bomb:
    """Pickle that an attacker could have put into the broker."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_job_list_shows_jobs_and_actions(get_page, queue):
    queue.enqueue(json.loads, "no JSON", job_id="broken")
    assert "broken" in get_page("queues/0/")
    run_worker(queue)
    failed = get_page("queues/0/failed/")
    assert "broken" in failed
    assert "requeue-all/" in failed
    assert "requeue-all/" not in get_page("queues/0/finished/")
    assert "None." in get_page("queues/0/finished/")


def test_queue_is_emptied_after_confirmation(get_page, client, queue):
    queue.enqueue(print, job_id="waiting")
    question = get_page("queues/0/empty/")
    assert f'action="{DASHBOARD}queues/0/empty/"' in question
    client.post(f"{DASHBOARD}queues/0/empty/")
    assert not queue.job_ids


@pytest.mark.parametrize(
    "state", ["queued", "started", "finished", "failed", "stopped", "busy", "idle", "suspended"]
)
def test_known_rq_state_has_label(state):
    assert rq_label(state) == str(RQ_LABELS[state])


def test_unknown_rq_state_is_shown_unchanged():
    assert rq_label("rate_limited") == "rate_limited"


def test_rq_pages_never_unpickle_jobs(get_page, client, task, worker, start_job, queue, tmp_path):
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
        get_page(page)
    form = {"_selected_action": [task.job_id], "action": "stop"}
    assert client.post(f"{DASHBOARD}queues/confirm-action/0/", form).status_code == 200
    assert not path.exists()


def test_job_page_shows_progress_bar(get_page, task, queue):
    jobs.enqueue_task(task)
    job = Job.fetch(task.job_id, queue.connection, serializer=queue.serializer)
    job.meta["progress"] = {"done": 1200, "total": 4800}
    job.save_meta()
    page = get_page(f"queues/0/{task.job_id}/")
    assert '<progress max="4800" value="1200"' in page
    assert "{&#x27;" not in page


def test_job_page_links_to_its_task(get_page, task):
    url = f"/admin/sample/sampletask/{task.pk}/change/"
    jobs.enqueue_task(task)
    assert url in get_page(f"queues/0/{task.job_id}/")
    task.claim()
    task.fail("ERROR", "")
    mail = task.pending_mail
    jobs.enqueue_mail(mail)
    assert url in get_page(f"queues/0/{mail.job_id}/")


def test_job_arguments_and_results_are_hidden(get_page, queue):
    queue.enqueue(json.dumps, "dear diary", job_id="strange")
    queue.enqueue(print, job_id="plain")
    run_worker(queue)
    job = Job.fetch("strange", queue.connection, serializer=queue.serializer)
    assert job.return_value() == '"dear diary"'
    page = get_page("queues/0/strange/") + get_page(
        f"queues/0/strange/results/{job.latest_result().id}/"
    )
    assert "diary" not in page
    assert get_page("queues/0/plain/")


def test_failed_job_shows_its_traceback(get_page, queue):
    queue.enqueue(json.loads, "no JSON", job_id="broken")
    run_worker(queue)
    assert "JSONDecodeError" in get_page("queues/0/broken/")


def test_rq_statistics_require_permission(client, staff_without_permissions, operator, alice):
    stats = f"{DASHBOARD}stats.json"
    client.force_login(alice)
    assert client.get(stats).status_code == 401
    client.force_login(staff_without_permissions)
    assert client.get(stats).status_code == 403
    client.force_login(operator)
    assert client.get(stats).status_code == 200
