"""One digest for a file, one for a folder."""

import hashlib
import os
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def sha256(path: Path) -> str:
    """Of a file's bytes, in hexadecimal digits."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            whole.update(chunk)
    return whole.hexdigest()


def tree_digest(folder: Path) -> str:
    """One SHA-256 for every path and byte below a folder.

    It is that of the lines that `sha256sum` prints for the files, sorted by path, so it can be checked without
    modelyard: find -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum
    """
    whole = hashlib.sha256()
    for path in files_below(folder):
        whole.update(f"{sha256(folder / path)}  {path}\n".encode())
    return whole.hexdigest()


def files_below(folder: Path) -> list[str]:
    """Every file's path, relative and sorted by its bytes."""
    found = [
        os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118
        for place, _, names in os.walk(folder)
        for name in names
    ]
    return sorted(found, key=os.fsencode)
