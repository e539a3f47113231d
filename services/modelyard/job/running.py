"""Which job this process runs."""

from typing import TYPE_CHECKING

from modelyard.job.errors import NoJob

if TYPE_CHECKING:
    from modelyard.job.session import Context

_current: "list[Context]" = []


def current() -> "Context":
    """The job's context; raises NoJob in a process that `python -m modelyard.job` did not start."""
    if not _current:
        raise NoJob(
            "`context` exists only inside a job; start this code with `modelyard train FILE --dataset NAME`, or with "
            "--local behind it to run it in your own terminal"
        )
    return _current[0]


def begin(context: "Context") -> None:
    """Make `context` the one that `from modelyard.job import context` gives."""
    _current[:] = [context]
