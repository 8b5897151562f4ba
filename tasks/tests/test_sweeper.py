from datetime import timedelta

import pytest
from django.utils import timezone

from tasks import sweeper
from tasks.models import SweeperHeartbeat
from tasks.sweeper import KEEP_DETAIL_DAYS

from .conftest import reload
from .models import SampleEvent, SampleMail, SampleTask

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("seconds", "is_kept"), [(-30, True), (30, False)])
def test_details_are_kept_for_ninety_days(running, seconds, is_kept):
    assert running.crash("a traceback")
    mail = SampleMail.objects.create(task=running, error="550 <alice@microblog.example>")
    created_at = timezone.now() - timedelta(days=KEEP_DETAIL_DAYS, seconds=seconds)
    for model in (SampleTask, SampleMail, SampleEvent):
        model._default_manager.update(created_at=created_at)
    sweeper.prune_details()
    assert bool(reload(running).traceback) is is_kept
    assert bool(reload(mail).error) is is_kept
    assert SampleEvent._default_manager.exists() is is_kept


def test_all_sweepers_share_one_heartbeat():
    for _ in range(3):
        sweeper.record_heartbeat()
    assert SweeperHeartbeat.objects.count() == 1
