"""Times on the database's clock, so that hosts with different clocks agree on what has expired."""

from datetime import timedelta

from django.conf import settings
from django.db.models import DateTimeField, Expression, ExpressionWrapper, Value
from django.db.models.functions import Now


def from_now(seconds: float) -> Expression:
    """Return the time `seconds` from now; a negative number is in the past."""
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def lease_expiry() -> Expression:
    return from_now(settings.EXPORT_LEASE_SECONDS)


def grace_seconds() -> float:
    """Return how long the sweeper leaves new work to the process that saved it."""
    return float(2 * settings.EXPORT_TICK_SECONDS)


def sweep_after() -> Expression:
    """Return when the grace period of work that is saved now ends."""
    return from_now(grace_seconds())
