"""Requirements of commands. If one is missing, the command ends with one sentence about it."""

from django.core.management.base import CommandError
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from microblog import health


def require_database() -> None:
    """Raise CommandError if the database does not answer, or lacks tables of this version."""
    try:
        health.check_database()
        health.check_migrations()
    except health.NotReady as error:
        raise CommandError(
            f"The database lacks migrations of this version ({error}): run manage.py migrate."
        ) from None
    except DatabaseError as error:
        reason = str(error).strip()
        raise CommandError(f"The database of DATABASE_URL does not answer: {reason}") from None


def require_broker() -> None:
    try:
        health.check_broker()
    except RedisError as error:
        raise CommandError(f"The broker of REDIS_URL does not answer: {error}") from None
