import threading
from contextlib import suppress

import pytest
from django.db import connections
from django.db.models.signals import post_save

from blog.models import Conversation, Participant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def insert_barrier():
    """Hold two threads after each insert, until both have inserted or the database blocks one."""
    both_inserted = threading.Barrier(2)

    def wait(**kwargs):
        with suppress(threading.BrokenBarrierError):
            both_inserted.wait(1)

    post_save.connect(wait, sender=Participant)
    yield
    post_save.disconnect(wait, sender=Participant)


def test_concurrent_creators_share_one_conversation(alice, bob, insert_barrier):
    conversations = []

    def create(one, other):
        conversations.append(Conversation.objects.get_or_create_between(one, other))
        connections.close_all()

    threads = [threading.Thread(target=create, args=pair) for pair in ((alice, bob), (bob, alice))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conversations == [Conversation.objects.get()] * 2
