"""`--set name=value`"""

import json
from typing import Any

import typer


def parameter(text: str) -> tuple[str, Any]:
    """`epochs=3` is a number, `optimizer=adam` a text: JSON where it is JSON."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not name=value", param_hint="--set")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
