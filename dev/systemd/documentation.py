"""The commands of docs/deployment.md."""

import re

from dev.stack import ROOT


def commands(title: str, text: str | None = None) -> str:
    """Return the first shell commands below a title. Raises ValueError if there are none."""
    if text is None:
        text = (ROOT / "docs" / "deployment.md").read_text()
    _, found, rest = text.partition(title)
    block = re.search(r"```sh\n(.*?)```", rest, re.DOTALL)
    if not found or block is None:
        raise ValueError(f"docs/deployment.md has no commands below {title!r}.")
    return block[1]
