"""Random sequences of verbs break no promise of a task."""

from typing import Any

import pytest

from tasks.models import Status

from . import state_machine
from .models import SampleMail, SampleTask


class SampleTasks(state_machine.TaskMachine):
    task_model = SampleTask
    mail_model = SampleMail

    def request_task(self) -> bool:
        _, is_new = SampleTask.objects.get_or_create_unfinished(self.owner, rows_total=100)
        return is_new

    def result_of(self, task: SampleTask) -> dict[str, Any]:
        return {"result": "counted", "rows_done": 100}

    def check_end(self, task: SampleTask) -> None:
        assert task.result == ("counted" if task.status == Status.SUCCESSFUL else "")


@pytest.mark.django_db
def test_random_verb_sequences_keep_promises():
    state_machine.run(SampleTasks)
