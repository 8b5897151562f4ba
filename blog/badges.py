"""How much is unread, for the badges in the navigation."""

from .models import User

NAMES = ("messages", "notifications")


def unread(user: User) -> dict[str, int]:
    """By the name of the badge. It costs no query where `user` is who makes the request."""
    if not hasattr(user, "unread_messages"):
        return unread(User.objects.with_unread(user.pk).get())
    return {name: getattr(user, f"unread_{name}") for name in NAMES}
