"""What came of a push, said for people or for scripts."""

from modelyard.cli.output import bytes_text, console, print_json
from modelyard.sdk.names import short
from modelyard.sdk.upload import Pushed


def show_pushed(pushed: Pushed, *, as_json: bool) -> None:
    """Which version it is, and how much was sent."""
    if as_json:
        print_json(
            {
                "version": pushed.version,
                "digest": pushed.digest,
                "unchanged": pushed.unchanged,
                "file_count": pushed.file_count,
                "sent_bytes": pushed.sent_bytes,
            }
        )
    elif pushed.unchanged:
        console().print(f"{short(pushed.version)} has this content already; nothing was sent")
    else:
        console().print(f"{short(pushed.version)}: {pushed.file_count:,} files, {bytes_text(pushed.sent_bytes)} sent")
