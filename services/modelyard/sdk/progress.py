"""How long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called from one thread at a time, often; must be quick."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`stage`: `hashing`, `sending`, `verifying`, `fetching`; `done` of `total` bytes, or files while hashing."""


def silent(stage: str, done: int, total: int) -> None:
    """Nobody is looking."""
