"""The site, a worker and the sweeper behind PgBouncer in transaction mode."""

import json

import pytest
from django.conf import settings

from blog.models import Post
from conftest import database_url, wait_until
from dev.chaos.accounts import Account
from dev.pgbouncer import PgBouncer
from dev.stack import Stack
from exports.models import ExportMail, MailStatus
from tests.access import ACCESS

pytestmark = [pytest.mark.integration, pytest.mark.postgres, pytest.mark.needs("pgbouncer")]

TRIES = 9  # a fault shows only if two statements get different connections
# Without those of one row, and of the app that exists in tests only.
PAGES = [
    url
    for url, row in ACCESS.items()
    if row["superuser"] == 200 and "{" not in url and "/sample/" not in url
]


@pytest.fixture
def pooled_stack(transactional_db, tmp_path):
    with (
        PgBouncer(tmp_path, database_url()) as pooler,
        Stack(tmp_path, DATABASE_URL=pooler.url, SECRET_KEY=settings.SECRET_KEY) as stack,
    ):
        stack.start()
        yield stack


def test_everything_works_behind_pgbouncer(pooled_stack, make_user, alice, staff):
    """Test everything with one stack, because it starts slowly."""
    make_user("carol")  # whom the matrix names
    Post.objects.bulk_create(Post(author=alice, body=f"Post {number}") for number in range(1200))
    account = Account(alice, pooled_stack.site_url)
    tasks = [account.request_export(kind) for kind in ("posts", "account")]
    sent = ExportMail.objects.filter(status=MailStatus.SENT)
    wait_until(lambda: sent.count() == len(tasks))
    archive = account.client.get(f"/exports/{alice.export_tasks.get(kind='posts').pk}/download/")
    assert len(json.loads(archive.content)["posts"]) == 1200

    client = Account(staff, pooled_stack.site_url).client
    for url in PAGES:
        client.get(url)  # raises UnexpectedResponse for an error
    for _ in range(TRIES):
        client.get("/admin/diagnosis/")
        client.get(f"/admin/blog/user/{alice.pk}/change/")
