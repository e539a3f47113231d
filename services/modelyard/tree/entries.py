"""A tree's files and the digest that names them."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.tree.errors import TreeInvalid
from modelyard.tree.paths import validate_paths

_SHA256 = re.compile(r"[0-9a-f]{64}")
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
MAX_BYTES = 1 << 50


@dataclass(frozen=True, slots=True)
class File:
    """A file by its content; where its bytes are stored is not said yet."""

    path: str
    size: int
    sha256: str
    """64 lower-case hex digits."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a tree: bytes [offset, offset + size) of `pack` have this SHA-256.

    An empty file has no bytes anywhere: its pack is "" and its offset 0. Several entries may name the same bytes.
    """

    path: str
    size: int
    sha256: str
    """64 lower-case hex digits."""
    pack: str
    offset: int


def digest(entries: Iterable[Entry | File]) -> str:
    """The tree's name: over the sorted (path, size, sha256), so that it does not depend on how the bytes are packed."""
    whole = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.path):
        whole.update(digest_line(entry))
    return f"sha256:{whole.hexdigest()}"


def digest_line(entry: Entry | File) -> bytes:
    """What one file adds to its tree's digest."""
    return b"%s\0%d\0%s\n" % (entry.path.encode(), entry.size, entry.sha256.encode())


def validate_entry(entry: Entry) -> None:
    """Raise TreeInvalid for numbers, hashes and places that cannot be; the path is checked by validate_paths."""
    if not 0 <= entry.size <= MAX_BYTES or not 0 <= entry.offset <= MAX_BYTES:
        raise TreeInvalid(entry.path, f"claims {entry.size} bytes at offset {entry.offset}")
    if not _SHA256.fullmatch(entry.sha256):
        raise TreeInvalid(entry.path, "has a SHA-256 that is not 64 lower-case hex digits")
    if entry.size == 0 and (entry.pack, entry.offset, entry.sha256) != ("", 0, EMPTY_SHA256):
        raise TreeInvalid(entry.path, "is empty, so it can lie in no pack and has the hash of nothing")
    if entry.size > 0 and not entry.pack:
        raise TreeInvalid(entry.path, "has bytes but names no pack")


def sort_entries(entries: Iterable[Entry]) -> list[Entry]:
    """The entries in a manifest's order, checked one by one and as a whole; raises PathInvalid or TreeInvalid.

    Unicode's code point order is the byte order of UTF-8, so strings are compared as they are.
    """
    ordered = sorted(entries, key=lambda entry: entry.path)
    for entry in ordered:
        validate_entry(entry)
    validate_paths(entry.path for entry in ordered)
    return ordered
