"""A local folder as a tree's files: what is where, and its hashes."""

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.progress import Progress, silent
from modelyard.tree import Entry, File, PathInvalid, validate_path

JUNK = frozenset(
    {
        ".DS_Store",
        ".git",
        ".ipynb_checkpoints",
        ".modelyard",
        "Thumbs.db",
        "__MACOSX",
        "__pycache__",
        "desktop.ini",
    }
)
"""Left by desktops and tools; never content. So is what begins with `._`, macOS' notes on another file."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """Where one file's bytes come from: a file on disk, or bytes made on the fly."""

    size: int
    location: Path | None = None
    content: bytes = b""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer if the file became shorter."""
        if self.location is None:
            return self.content[offset : offset + length]
        with self.location.open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def open(self) -> BinaryIO:
        """The bytes from their beginning; the caller closes it."""
        return BytesIO(self.content) if self.location is None else self.location.open("rb")


Sources = Mapping[str, Source]
"""Path in the tree -> where its bytes are."""


Skip = Callable[["os.DirEntry[str]"], bool]


def scan(folder: Path, *, skip: Skip | None = None, skipped: list[str] | None = None) -> dict[str, Source]:
    """Every regular file below `folder`, by its path in the tree. A link or a device is an error, not a surprise.

    What `skip` says yes to is left out, and its path (a folder's ends in `/`) appended to `skipped`.
    """
    if not folder.exists():
        raise InvalidArgument(f"{folder} does not exist; give the folder that holds the files", reason="PATH_NOT_FOUND")
    if not folder.is_dir():
        raise InvalidArgument(f"{folder} is not a folder; give the folder that holds the files", reason="NOT_A_FOLDER")
    sources: dict[str, Source] = {}
    for path, entry in _walk(folder, folder, "", skip or _nothing, [] if skipped is None else skipped):
        path = unicodedata.normalize("NFC", path)
        try:
            validate_path(path)
        except PathInvalid as error:
            raise InvalidArgument(f"{error}; rename {entry.path}", reason=error.reason) from error
        if path in sources:
            raise InvalidArgument(
                f"{sources[path].location} and {entry.path} are both {path}, once their accents are written alike; "
                "rename one",
                reason="PATH_TWICE",
            )
        sources[path] = Source(entry.stat(follow_symlinks=False).st_size, Path(entry.path))
    return sources


def scan_file(path: Path) -> dict[str, Source]:
    """One file, as a tree of its own."""
    name = unicodedata.normalize("NFC", path.name)
    try:
        validate_path(name)
        return {name: Source(path.stat().st_size, path)}
    except PathInvalid as error:
        raise InvalidArgument(f"{error}; rename {path}", reason=error.reason) from error


def _walk(
    root: Path, folder: Path | str, prefix: str, skip: Skip, skipped: list[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            is_folder = entry.is_dir(follow_symlinks=False)
            if skip(entry):
                skipped.append(f"{prefix}{entry.name}{'/' if is_folder else ''}")
            elif entry.name in JUNK or entry.name.startswith("._"):
                continue
            elif is_folder:
                yield from _walk(root, entry.path, f"{prefix}{entry.name}/", skip, skipped)
            elif entry.is_file(follow_symlinks=False):
                yield f"{prefix}{entry.name}", entry
            else:
                raise _irregular(root, entry)


def _nothing(entry: "os.DirEntry[str]") -> bool:
    return False


def _irregular(root: Path, entry: "os.DirEntry[str]") -> InvalidArgument:
    if entry.is_symlink():
        target = Path(os.path.realpath(entry.path))
        if not target.is_relative_to(os.path.realpath(root)):
            return InvalidArgument(
                f"{entry.path} is a link to {target}, outside of {root}; nothing from there is pushed: copy what it "
                "points to into the folder, or remove the link",
                reason="LINK_LEAVES_FOLDER",
            )
    return InvalidArgument(
        f"{entry.path} is a link or a device; only regular files can be pushed: copy what it points to",
        reason="NOT_A_REGULAR_FILE",
    )


def hash_files(sources: Sources, progress: Progress = silent) -> list[File]:
    """Size and SHA-256 of every source, sorted by path."""
    files = []
    total = sum(source.size for source in sources.values())
    done = 0
    for path in sorted(sources):
        source = sources[path]
        whole = hashlib.sha256()
        size = 0
        for chunk in _chunks(source):
            whole.update(chunk)
            size += len(chunk)
        files.append(File(path, size, whole.hexdigest()))
        done += size
        progress("hashing", done, total)
    return files


def _chunks(source: Source) -> Iterator[bytes]:
    if source.location is None:
        yield source.content
        return
    with source.location.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def read_pack(files: Sequence[Entry], sources: Sources, offset: int, length: int) -> bytes:
    """Bytes [offset, offset + length) of the pack that `files` make one behind the other, `files` sorted by offset."""
    parts = []
    end = offset + length
    for entry in files:
        start, stop = max(offset, entry.offset), min(end, entry.offset + entry.size)
        if start < stop:
            parts.append(sources[entry.path].read(start - entry.offset, stop - start))
    data = b"".join(parts)
    if len(data) != length:
        raise InvalidArgument("a file became shorter while it was being pushed; push again", reason="FILE_CHANGED")
    return data
