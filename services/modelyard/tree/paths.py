"""Which paths a tree may hold."""

import unicodedata
from collections.abc import Iterable

from modelyard.tree.errors import PathInvalid, TreeInvalid

MAX_PATH_BYTES = 1024


def validate_path(path: str) -> None:
    """Raise PathInvalid unless `path` is relative, normal (NFC), printable and at most 1,024 bytes of UTF-8."""
    if not path:
        raise PathInvalid(path, "is empty")
    if path.isascii():
        size = len(path)
    else:
        try:
            size = len(path.encode())
        except UnicodeEncodeError:
            raise PathInvalid(path, "is not valid Unicode; rename the file") from None
        if not unicodedata.is_normalized("NFC", path):
            raise PathInvalid(path, "is not in Unicode's normal form NFC")
    if size > MAX_PATH_BYTES:
        raise PathInvalid(path, f"has {size} bytes; at most {MAX_PATH_BYTES} are allowed")
    if path.startswith("/"):
        raise PathInvalid(path, "is absolute; paths are relative to the tree's root")
    if not path.isprintable() and any(unicodedata.category(letter) == "Cc" for letter in path):
        raise PathInvalid(path, "holds a control character")
    for segment in path.split("/"):
        if segment in ("", ".", ".."):
            raise PathInvalid(path, f"has the segment {segment!r}")


def validate_paths(paths: Iterable[str]) -> None:
    """Raise unless every path is valid, none occurs twice and none is both a file and a folder."""
    files: set[str] = set()
    folders: set[str] = set()
    for path in paths:
        validate_path(path)
        if path in files:
            raise TreeInvalid(path, "occurs twice")
        files.add(path)
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
    both = files & folders
    if both:
        raise TreeInvalid(min(both), "is also a folder")
