"""What came of a push, said for people or for scripts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard.cli.output import bytes_text, console, print_json
from modelyard.sdk.errors import FailedPrecondition
from modelyard.sdk.names import short

if TYPE_CHECKING:
    from modelyard.sdk.upload import Pushed

_SHOWN = 20


@contextmanager
def of_one_kind() -> Iterator[None]:
    """Say by which option another package is named, where the one that is pushed to holds another kind of files."""
    try:
        yield
    except FailedPrecondition as error:
        if error.reason == "PACKAGE_KIND_DIFFERS":
            error.message += ": --package NAME"
        raise


def show_pushed(pushed: "Pushed", *, as_json: bool) -> None:
    """Which version it is, and how much was sent."""
    if as_json:
        print_json(
            {
                "version": pushed.version,
                "digest": pushed.digest,
                "unchanged": pushed.unchanged,
                "file_count": pushed.file_count,
                "sent_bytes": pushed.sent_bytes,
                "left_out": pushed.left_out,
                "notes": pushed.notes,
                "problems": pushed.problems,
                "problem_count": pushed.problem_count,
            }
        )
        return
    for note in pushed.notes:
        console().print(f"note: {note}")
    if pushed.left_out:
        noun = "file is" if len(pushed.left_out) == 1 else "files are"
        console().print(f"{len(pushed.left_out):,} {noun} left out of the version:")
        for each in pushed.left_out:
            console().print(f"  {each}")
    if pushed.problem_count:
        noun = "example is" if pushed.problem_count == 1 else "examples are"
        console().print(f"{pushed.problem_count:,} {noun} left out:")
        for problem in pushed.problems[:_SHOWN]:
            console().print(f"  {problem}")
        if pushed.problem_count > _SHOWN:
            console().print(f"  and {pushed.problem_count - _SHOWN:,} more; -o json lists {len(pushed.problems):,}")
    if pushed.unchanged:
        console().print(f"{short(pushed.version)} has this content already; nothing was sent")
    else:
        console().print(f"{short(pushed.version)}: {pushed.file_count:,} files, {bytes_text(pushed.sent_bytes)} sent")
