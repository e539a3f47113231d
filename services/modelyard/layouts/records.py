"""The framing of TFRecord files: length, its checksum, the record, its checksum; perhaps all in gzip.

Source: TensorFlow's guide to TFRecord, "TFRecords format details".
"""

import struct
from collections.abc import Iterator
from typing import IO

from modelyard.layouts.chunks import Problems
from modelyard.layouts.errors import DecoderMissing
from modelyard.layouts.files import File
from modelyard.layouts.text_files import open_bytes

MAX_RECORD_BYTES = 1 << 28
_BATCH_BYTES = 4 << 20
_BATCH_RECORDS = 4096
_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")


def records(path: str, file: File, problems: Problems) -> Iterator[tuple[int, bytes]]:
    """Each record behind its number, counted from 1. What is damaged is a problem.

    Behind a damaged length nothing can be found any more, so the rest of that file is one problem. Raises
    DataUnreadable for damaged gzip.
    """
    try:
        from modelyard.layouts.crc32c import crc32c, masked
    except ImportError:
        raise DecoderMissing("TFRecord files", "numpy") from None
    number = 0
    with open_bytes(path, file) as stream:
        for batch in _batches(path, stream, problems):
            sums = crc32c([record for record, _ in batch])
            for (record, wanted), found in zip(batch, sums, strict=True):
                number += 1
                if masked(found) == wanted:
                    yield number, record
                else:
                    problems.add(path, number, "is damaged: its checksum is another one")


def _batches(path: str, stream: IO[bytes], problems: Problems) -> Iterator[list[tuple[bytes, int]]]:
    from modelyard.layouts.crc32c import crc32c, masked

    batch: list[tuple[bytes, int]] = []
    size, number = 0, 0
    while header := stream.read(_HEADER.size):
        number += 1
        problem = ""
        if len(header) < _HEADER.size:
            problem = "is cut off"
        else:
            length, wanted = _HEADER.unpack(header)
            if masked(crc32c([header[:8]])[0]) != wanted:
                problem = f"begins with {header[:8].hex()}, which is no length with its checksum"
            elif length > MAX_RECORD_BYTES:
                problem = f"has {length:,} bytes; at most {MAX_RECORD_BYTES:,} are read"
            else:
                record, footer = stream.read(length), stream.read(_FOOTER.size)
                if len(footer) < _FOOTER.size:
                    problem = "is cut off"
        if problem:
            problems.add(path, number, f"{problem}; so the rest of the file is left out")
            break
        batch.append((record, *_FOOTER.unpack(footer)))
        size += length
        if size >= _BATCH_BYTES or len(batch) == _BATCH_RECORDS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
