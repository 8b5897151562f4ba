"""The settings of django-anymail, out of the environment."""

import json
from collections.abc import Mapping
from typing import Any

PREFIX = "ANYMAIL_"


def anymail_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Each ANYMAIL_<NAME> as <NAME>."""
    return {
        name[len(PREFIX) :]: _read(value)
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }


def _read(value: str) -> Any:
    """Anymail takes settings as they are: "false" would be true, and a dictionary has to be one.

    Numbers stay texts: a token may consist of digits.
    """
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
