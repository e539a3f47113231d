"""The manifest: one object that lists a tree's files so that a page of it is one range read.

    page 0   up to 1,000 JSON lines [path, size, sha256, pack, offset], sorted by path
    page 1   …
    index    one JSON line {"format": 1, "entries": n, "bytes": total, "digest": "sha256:…", "pages": […]};
             a page is [first_path, offset, length]
    length   8 bytes, big-endian: how long the index line is, its line feed included

The writer is canonical: equal entries give equal bytes. The reader trusts nothing: what does not parse, does not add
up or lies outside the object raises ManifestDamaged.
"""

import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from modelyard.tree.entries import Entry, digest_line, sort_entries, validate_entry
from modelyard.tree.errors import ManifestDamaged, TreeError
from modelyard.tree.paths import validate_path

FORMAT = 1
PAGE_ENTRIES = 1000
LENGTH_BYTES = 8
MAX_INDEX_BYTES = 256 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes [offset, offset + length) of the manifest hold the entries from `first_path` on."""

    first_path: str
    offset: int
    length: int


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def manifest_chunks(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Encode page by page; raises PathInvalid or TreeInvalid before the first byte."""
    ordered = sort_entries(entries)
    pages: list[list[str | int]] = []
    whole = hashlib.sha256()
    offset = 0
    for start in range(0, len(ordered), PAGE_ENTRIES):
        page = ordered[start : start + PAGE_ENTRIES]
        for entry in page:
            whole.update(digest_line(entry))
        chunk = b"".join(_line([e.path, e.size, e.sha256, e.pack, e.offset]) for e in page)
        pages.append([page[0].path, offset, len(chunk)])
        offset += len(chunk)
        yield chunk
    index = _line(
        {
            "format": FORMAT,
            "entries": len(ordered),
            "bytes": sum(entry.size for entry in ordered),
            "digest": f"sha256:{whole.hexdigest()}",
            "pages": pages,
        }
    )
    yield index + len(index).to_bytes(LENGTH_BYTES, "big")


def encode_manifest(entries: Iterable[Entry]) -> bytes:
    """The whole manifest; raises PathInvalid or TreeInvalid."""
    return b"".join(manifest_chunks(entries))


class Manifest:
    """A manifest of which the index is in memory and pages are read as they are needed."""

    __slots__ = ("_first_paths", "_read", "bytes", "digest", "entry_count", "pages")

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        """`read(offset, length)` answers exactly that range of an object of `size` bytes."""
        self._read = read
        tail = self._range(size - LENGTH_BYTES, LENGTH_BYTES, size)
        length = int.from_bytes(tail, "big")
        if length > MAX_INDEX_BYTES:
            raise ManifestDamaged(f"the manifest's index claims {length} bytes; at most {MAX_INDEX_BYTES} are read")
        pages_end = size - LENGTH_BYTES - length
        index = _parse(self._range(pages_end, length, size), dict)
        if index.get("format") != FORMAT:
            raise ManifestDamaged(
                f"the manifest has format {index.get('format')!r}; this version of modelyard reads format {FORMAT}"
            )
        try:
            self.entry_count = _natural(index["entries"])
            self.bytes = _natural(index["bytes"])
            self.digest = str(index["digest"])
            self.pages = tuple(Page(str(path), _natural(at), _natural(long)) for path, at, long in index["pages"])
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestDamaged("the manifest's index is not what format 1 says") from error
        self._first_paths = [page.first_path for page in self.pages]
        at = 0
        for page in self.pages:
            if page.offset != at or page.length == 0:
                raise ManifestDamaged("the manifest's pages do not follow one another")
            at += page.length
        wanted = -(-self.entry_count // PAGE_ENTRIES)
        ascending = all(a < b for a, b in pairwise(self._first_paths))
        if at != pages_end or len(self.pages) != wanted or not ascending:
            raise ManifestDamaged("the manifest's index does not fit its pages")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """A manifest that is wholly in memory."""
        view = memoryview(data)
        return cls(lambda offset, length: bytes(view[offset : offset + length]), len(data))

    def page(self, number: int) -> list[Entry]:
        """The entries of one page: one range read."""
        page = self.pages[number]
        data = self._read(page.offset, page.length)
        if len(data) != page.length:
            raise ManifestDamaged(f"page {number} of the manifest is cut off")
        last = number == len(self.pages) - 1
        count = self.entry_count - PAGE_ENTRIES * number if last else PAGE_ENTRIES
        lines = data.split(b"\n")
        if lines.pop() != b"" or len(lines) != count:
            raise ManifestDamaged(f"page {number} of the manifest does not hold {count} lines")
        entries = [_entry(line) for line in lines]
        below = None if last else self._first_paths[number + 1]
        paths = [entry.path for entry in entries]
        if paths[0] != page.first_path or any(a >= b for a, b in pairwise(paths)):
            raise ManifestDamaged(f"page {number} of the manifest is not in order")
        if below is not None and paths[-1] >= below:
            raise ManifestDamaged(f"page {number} of the manifest runs into the next")
        return entries

    def page_of(self, path: str) -> int | None:
        """The page that would hold `path`; None where the path sorts before the first."""
        number = bisect_right(self._first_paths, path) - 1
        return number if number >= 0 else None

    def find(self, path: str) -> Entry | None:
        """One file's entry, by at most one range read."""
        number = self.page_of(path)
        if number is None:
            return None
        page = self.page(number)
        at = bisect_left(page, path, key=lambda entry: entry.path)
        return page[at] if at < len(page) and page[at].path == path else None

    def entries(self, after: str = "") -> Iterator[Entry]:
        """All entries whose path is greater than `after`, in order; pages are read as the iterator reaches them."""
        for number in range(self.page_of(after) or 0, len(self.pages)):
            for entry in self.page(number):
                if entry.path > after:
                    yield entry

    def verify(self) -> list[Entry]:
        """Read everything and check it against the index; raises TreeError of the kind that is wrong."""
        entries = sort_entries(self.entries())
        whole = hashlib.sha256()
        for entry in entries:
            whole.update(digest_line(entry))
        if f"sha256:{whole.hexdigest()}" != self.digest or sum(entry.size for entry in entries) != self.bytes:
            raise ManifestDamaged("the manifest's entries do not have the digest that its index claims")
        return entries

    def _range(self, offset: int, length: int, size: int) -> bytes:
        if offset < 0 or offset + length > size:
            raise ManifestDamaged(f"the manifest is cut off: {size} bytes")
        data = self._read(offset, length)
        if len(data) != length:
            raise ManifestDamaged(f"the manifest is cut off: {length} bytes wanted at {offset}, got {len(data)}")
        return data


def _natural(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


def _parse(data: bytes, kind: type[T]) -> T:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ManifestDamaged("the manifest holds a line that is not JSON") from error
    if not isinstance(value, kind):
        raise ManifestDamaged(f"the manifest holds {value!r:.60} where a {kind.__name__} belongs")
    return value


def _entry(line: bytes) -> Entry:
    fields = _parse(line, list)
    try:
        path, size, sha256, pack, offset = fields
        entry = Entry(_text(path), _natural(size), _text(sha256), _text(pack), _natural(offset))
        validate_path(path)
        validate_entry(entry)
    except TreeError:
        raise
    except ValueError as error:
        raise ManifestDamaged(f"the manifest holds {line[:80]!r}, which is not an entry") from error
    return entry
