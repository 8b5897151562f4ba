import pytest

from exports.models import ExportTask, Purpose
from exports.tests.conftest import build_result

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def test_archive_sizes_of_last_hour_are_summed(task, bob, scrape):
    assert scrape()["microblog_archive_bytes_last_hour",] == 0
    for each, size in ((task, 7000), (ExportTask.objects.request(bob)[0], 1000)):
        each.claim()
        each.finish(**build_result("posts/x", 5, size, "0" * 64))
    assert scrape()["microblog_archive_bytes_last_hour",] == 8000


def test_bounces_are_counted_as_events(task, scrape):
    task.mails.create(purpose=Purpose.ARCHIVE).mark_bounced("No such mailbox")
    assert scrape()["microblog_events_last_hour", "bounced", "exporttask"] == 1
