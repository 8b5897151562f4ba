"""Random sequences of verbs break no promise of an export."""

from typing import Any

import pytest

from exports.models import ExportMail, ExportTask, Purpose, Status
from exports.tests.conftest import build_result
from tasks.tests import state_machine

PURPOSES = {Status.SUCCESSFUL: [Purpose.ARCHIVE], Status.FAILED: [Purpose.FAILURE]}


class Exports(state_machine.TaskMachine):
    task_model = ExportTask
    mail_model = ExportMail

    def request_task(self) -> bool:
        _, is_new = ExportTask.objects.request(self.owner, rows_total=100)
        return is_new

    def result_of(self, task: ExportTask) -> dict[str, Any]:
        return build_result(f"posts/{task.job_id}.json", 100, 1000, "0" * 64)

    def check_end(self, task: ExportTask) -> None:
        is_built = task.status == Status.SUCCESSFUL
        assert task.archive.name == (f"posts/{task.job_id}.json" if is_built else "")
        expected = PURPOSES.get(Status(task.status), [])
        assert [mail.purpose for mail in task.mails.all()] == expected


@pytest.mark.django_db
def test_random_verb_sequences_keep_promises():
    state_machine.run(Exports)
