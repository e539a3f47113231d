"""What cannot be decoded and so is no example: said with its path and the reason."""

from collections.abc import Callable, Mapping, Sequence

from modelyard.job.errors import ExamplesUnreadable
from modelyard.job.index import Examples

NAMED = 100
"""So many of a split are named; all are counted."""
SHOWN = 3
Say = Callable[[str, str], None]
"""A text with a name, as Context.report_text takes it: it is shown with the job and stands in its log."""


class LeftOut:
    """Of one job."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._found: dict[str, list[str]] = {}

    def add(self, examples: Examples, reasons: Mapping[int, str]) -> None:
        """These cannot be decoded; they are still among the examples.

        Raises ExamplesUnreadable where half of all is left out, or more: then something else is wrong.
        """
        found = self._found.setdefault(examples.name, [])
        total = len(found) + len(examples)
        found += [f"{examples.origin(row)} {reason}" for row, reason in sorted(reasons.items())]
        head = f"{len(found):,} of the {total:,} examples of split {examples.name!r} cannot be decoded"
        if 2 * len(found) >= total:
            said = listed(found, len(found), SHOWN, "; ")
            raise ExamplesUnreadable(f"{head}, half of them or more: {said}", split=examples.name)
        self._say(f"left out of {examples.name}", as_list(f"{head}:", found, len(found)))


def as_list(head: str, lines: Sequence[str], count: int) -> str:
    """Markdown; a path may have a line's end in it."""
    return f"{head}\n\n- " + listed([" ".join(line.split()) for line in lines], count, NAMED, "\n- ")


def listed(lines: Sequence[str], count: int, most: int, between: str) -> str:
    """The first of them, and how many more there are."""
    more = [f"… and {count - most:,} more"] if count > most else []
    return between.join([*lines[:most], *more])
