"""What a test calls to run a command line."""

from collections.abc import Callable
from typing import TypeAlias

from typer.testing import Result

Run: TypeAlias = Callable[..., Result]
"""`run("predict", …, stdin=…)`."""
