"""Peak memory of the archive of a large account beside that of a small one: posts and messages. Run by
`python -m benchmarks`; as a module of its own it writes the messages.
"""

import sys
from typing import Any

from .installation import Installation, installation

SMALL = (2_000, 500)
LARGE = (200_000, 50_000)


def run() -> dict[str, Any]:
    """The most memory, in bytes, that the export of each account takes."""
    small, large = _peak_memory(*SMALL), _peak_memory(*LARGE)
    return {"small": SMALL, "large": LARGE, "small_peak_bytes": small, "large_peak_bytes": large}


def rows(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What was measured, of the large account, of the small one, and the ratio."""
    small, large = result["small_peak_bytes"], result["large_peak_bytes"]
    posts, messages = result["large"]
    return [
        (
            f"peak memory, account of {posts:,} posts and {messages:,} messages / a hundredth",
            f"{large / 1e6:.1f} MB",
            f"{small / 1e6:.1f} MB",
            f"{large / small:.2f}",
        )
    ]


def _peak_memory(posts: int, messages: int) -> int:
    print(f"account_archive: making {posts:,} posts and {messages:,} messages ...", file=sys.stderr)
    with installation(posts) as place:
        place.python("-m", "benchmarks.account_archive", str(messages))
        return _export(place)


def _export(place: Installation) -> int:
    output = place.folder / "account.zip"
    return place.peak_memory("manage.py", "export_posts", "demo", "--kind=account", f"--output={output}")


def _converse(number: int) -> None:
    """Let `demo` and ten others write so many messages to each other, in turns."""
    from blog import demo
    from blog.models import Conversation, Message, User

    owner = User.objects.get(username="demo")
    others = [User.objects.create_user(f"partner{n}") for n in range(10)]
    talks = [(Conversation.objects.between(owner, other), other) for other in others]
    texts = demo.texts("partner", number, seed=1)
    Message.objects.bulk_create(
        (
            Message(conversation=talk, sender=other, recipient=owner, body=text.body, created_at=text.created_at)
            for text, (talk, other) in zip(texts, talks * (number // len(talks)), strict=False)
        ),
        batch_size=1000,
    )


if __name__ == "__main__":
    import django

    django.setup()
    _converse(int(sys.argv[1]))
