"""What a person may ask for now."""

from dataclasses import dataclass

from blog.models import User

from .archive.kinds import KINDS, Kind
from .models import ExportTask


@dataclass(frozen=True)
class Offer:
    """A kind of archive, and what stands in the way of another: one under way, or one that is quite new."""

    kind: Kind
    under_way: ExportTask | None
    cooling: ExportTask | None

    @property
    def is_open(self) -> bool:
        return self.under_way is None and self.cooling is None


def offers(owner: User) -> dict[str, Offer]:
    """By name of the kind, in the order in which they are shown."""
    under_way = {task.kind: task for task in owner.export_tasks.unfinished()}
    cooling = {task.kind: task for task in owner.export_tasks.cooling()}
    return {
        name: Offer(kind, under_way.get(name), cooling.get(name)) for name, kind in KINDS.items()
    }
