"""The event files that earlier attempts of a job have left, made the beginning of this attempt's.

What an attempt has drawn after the checkpoint that this one goes on from is drawn once more, so it is taken out of the
files: no reader of TensorBoard's files has to know of a restart to show each point once. The files stay apart from each
other and keep their order, whatever the clocks of their machines said.

A file is a TFRecord of tensorflow.Event: a record is its length (8 bytes), 4 bytes of checksum, the bytes, and 4 more
(tensorflow/core/lib/io/record_writer.h).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from google.protobuf.message import DecodeError
from tensorflow.core.util import event_pb2

Place = tuple[str, str]
"""Which of the writers, and the tag."""
MARK = "tfevents"
"""By it TensorBoard knows an event file, wherever it is in the name; it reads them in the order of their names."""
_LENGTH, _CHECKSUM = 8, 4
_PARTIAL = ".partial"


def take_over(folder: Path, parts: tuple[str, ...], step: int, attempt: int) -> set[Place]:
    """Keep what was drawn up to `step`, in `folder/<part>/` for each of `parts`; answers what was drawn at it."""
    found: set[Place] = set()
    for part in parts:
        for path in sorted((folder / part).glob(f"*{MARK}*")):
            found |= {(part, tag) for tag in _cut(path, step)}
            if path.exists() and not path.name.startswith("attempt-"):
                path.rename(path.with_name(f"attempt-{attempt - 1:04}.{path.name}"))
    return found


def _cut(path: Path, step: int) -> set[str]:
    """Leave out events behind `step`, and a record that is not whole; the file itself if nothing is left.

    A file that keeps all it has is not touched. Answers the tags at `step`.
    """
    partial = path.with_name(_PARTIAL)
    tags: set[str] = set()
    kept = events = 0
    with path.open("rb") as source, partial.open("wb") as target:
        for record in _records(source):
            try:
                event = event_pb2.Event.FromString(record[_LENGTH + _CHECKSUM : -_CHECKSUM])
            except DecodeError:
                break
            if event.HasField("summary"):
                if event.step > step:
                    continue
                events += 1
                if event.step == step:
                    tags.update(value.tag for value in event.summary.value)
            kept += target.write(record)
    if not events:
        path.unlink()
    elif kept < path.stat().st_size:
        partial.replace(path)
    partial.unlink(missing_ok=True)
    return tags


def _records(file: BinaryIO) -> Iterator[bytes]:
    """With their lengths and checksums; what was being written when its writer was killed is left out."""
    left = os.fstat(file.fileno()).st_size
    while len(head := file.read(_LENGTH)) == _LENGTH:
        (length,) = struct.unpack("<Q", head)
        size = _CHECKSUM + length + _CHECKSUM
        left -= _LENGTH + size
        if left < 0:
            return
        yield head + file.read(size)
