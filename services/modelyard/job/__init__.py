"""The library inside a job: `from modelyard.job import context`.

This package is light to import (no TensorFlow): worker and scheduler read its messages and indexes. `context` exists
only in a job's process.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.job.session import Context

    context: Context

__all__ = ["context"]


def __getattr__(name: str) -> object:
    if name != "context":
        raise AttributeError(f"module 'modelyard.job' has no attribute {name!r}")
    from modelyard.job.running import current

    return current()
