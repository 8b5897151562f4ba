"""Times on the database's clock, so that machines whose clocks differ agree on what has run out."""

from datetime import timedelta

from django.conf import settings
from django.db.models import DateTimeField, Expression, ExpressionWrapper, Value
from django.db.models.functions import Now


def from_now(seconds: float) -> Expression:
    """The moment `seconds` from now; negative ones lie in the past."""
    return ExpressionWrapper(
        Now() + Value(timedelta(seconds=seconds)), output_field=DateTimeField()
    )


def lease() -> Expression:
    """When a lease that is taken or renewed now runs out."""
    return from_now(settings.EXPORT_LEASE_SECONDS)


def soon() -> Expression:
    """When the sweeper should first look at work that somebody is expected to start at once."""
    return from_now(2 * settings.EXPORT_TICK_SECONDS)
