"""How long work tells how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Called from one thread at a time, often; must be quick."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` bytes; stages are downloading, making, hashing, sending, verifying and fetching."""


def silent(stage: str, done: int, total: int) -> None:
    """Nobody is looking."""
