"""What cannot be decoded and so is no example: said once, with its path and the reason."""

from collections.abc import Callable, Mapping, Sequence

from modelyard.job.errors import ExamplesUnreadable
from modelyard.job.index import Examples

NAMED = 100
"""So many are named, over all splits; all are counted."""
PRINTED = 20
"""Of those, so many of a split in the log."""
SHOWN = 3
NAME = "left out"
Say = Callable[[str, str], None]
"""A text with a name, as Context.report_text takes it."""


class LeftOut:
    """Of one job."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._counts: dict[str, int] = {}
        self._named: dict[str, list[str]] = {}

    def add(self, examples: Examples, reasons: Mapping[int, str]) -> None:
        """These cannot be decoded; they are still among the examples.

        Raises ExamplesUnreadable where half of all is left out, or more: then something else is wrong.
        """
        split = examples.name
        before = self._counts.get(split, 0)
        total = before + len(examples)
        self._counts[split] = count = before + len(reasons)
        said = [f"{examples.origin(row)} {reason}" for row, reason in sorted(reasons.items())]
        if 2 * count >= total:
            raise ExamplesUnreadable(
                f"{count:,} of the {total:,} examples of split {split!r} cannot be decoded, half of them or more: "
                + listed(said, count, SHOWN, "; "),
                split=split,
            )
        room = NAMED - sum(map(len, self._named.values()))
        named = self._named.setdefault(split, [])
        named += said[: max(0, room)]
        head = f"{count:,} of the {total:,} examples of split {split!r} cannot be decoded and "
        print(head + ("is" if count == 1 else "are") + " left out:", flush=True)
        print("  " + listed(said, len(said), PRINTED, "\n  "), flush=True)
        self._say(NAME, self._text())

    def _text(self) -> str:
        """Markdown."""
        parts = []
        for split, count in self._counts.items():
            lines = [f"- {_plain(line)}" for line in self._named[split]]
            if count > len(lines):
                lines.append(f"- … and {count - len(lines):,} more")
            parts.append(f"{count:,} of split {split}, which cannot be decoded:\n\n" + "\n".join(lines))
        return "\n\n".join(parts)


def listed(lines: Sequence[str], count: int, most: int, between: str) -> str:
    """The first of them, and how many more there are."""
    more = [f"… and {count - most:,} more"] if count > most else []
    return between.join([*lines[:most], *more])


def _plain(text: str) -> str:
    """A path may have a line's end in it."""
    return " ".join(text.split())
