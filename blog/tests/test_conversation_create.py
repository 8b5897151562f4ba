import threading
from contextlib import suppress

import pytest
from django.db import connections
from django.db.models.signals import post_save

from blog.models import Conversation, Participant

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def together():
    """Keeps two apart from each other no more than one row, as far as the database lets both go on."""
    meeting = threading.Barrier(2)

    def wait(**kwargs):
        with suppress(threading.BrokenBarrierError):
            meeting.wait(1)

    post_save.connect(wait, sender=Participant)
    yield
    post_save.disconnect(wait, sender=Participant)


def test_two_who_write_to_each_other_at_the_same_moment_share_one_conversation(
    alice, bob, together
):
    begun = []

    def begin(one, other):
        begun.append(Conversation.objects.get_or_create_between(one, other))
        connections.close_all()

    beginners = [threading.Thread(target=begin, args=pair) for pair in ((alice, bob), (bob, alice))]
    for beginner in beginners:
        beginner.start()
    for beginner in beginners:
        beginner.join()
    assert begun == [Conversation.objects.get()] * 2
