"""Words for what `Notification` rows hold. A row keeps facts; they are put into words in the reader's language."""

from collections.abc import Callable
from typing import Any

Renderer = Callable[[dict[str, Any]], dict[str, Any]]

_renderers: dict[str, Renderer] = {}


def register(prefix: str, renderer: Renderer) -> None:
    """Let `renderer` turn the payload of notifications named `<prefix>:...` into what the browser shows.

    `toast` among it is None or `{"level": ..., "text": ..., "url": ...}`: the news in one sentence, and where it leads;
    with a `title` where the sentence alone does not say what it is about.
    """
    _renderers[prefix] = renderer


def render(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The JSON-ready words of one notification; KeyError where nobody registered its prefix."""
    return _renderers[name.partition(":")[0]](payload)


def is_registered(name: str) -> bool:
    """Whether anybody has words for notifications of this name."""
    return name.partition(":")[0] in _renderers
