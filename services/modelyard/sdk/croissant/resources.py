"""The files of a version: each by itself, or many of one kind as a set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from modelyard.layouts.names import IMAGES, SOUNDS, TABLES, TEXTS, VIDEOS, suffix
from modelyard.tree import Entry

_MIME = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "text": "text/plain",
    "csv": "text/csv",
    "jsonl": "application/jsonlines",
    "parquet": "application/x-parquet",
}
_ENDINGS = {**VIDEOS, **SOUNDS, **TABLES, **TEXTS, **IMAGES}


@dataclass(frozen=True, slots=True)
class Resource:
    """A file, or a set of them, that fields come from."""

    identifier: str
    several: bool

    def source(self, **extract: str) -> dict[str, Any]:
        """As a field has it: `column`, `fileProperty` or `jsonPath`."""
        names = {"file_property": "fileProperty", "json_path": "jsonPath"}
        return {
            "fileSet" if self.several else "fileObject": {"@id": self.identifier},
            "extract": {names.get(key, key): value for key, value in extract.items()},
        }


def file_object(entry: Entry, format: str = "") -> dict[str, Any]:
    """One file; `format` is its media type where its name does not say it."""
    return {
        "@type": "cr:FileObject",
        # An id is a reference to a resource, and has no spaces.
        "@id": quote(entry.path),
        "name": PurePosixPath(entry.path).name,
        "contentUrl": entry.path,
        "contentSize": f"{entry.size} B",
        "encodingFormat": format or mime(entry.path),
        "sha256": entry.sha256,
    }


def file_set(identifier: str, entries: Sequence[Entry], files: Sequence[Entry], format: str = "") -> dict[str, Any]:
    """Many files of one kind: by patterns, or by their paths where a pattern would find another of the version's
    `files`, such as the table of items; `excludes` is nothing that readers know yet.
    """
    paths = sorted(entry.path for entry in entries)
    others = {entry.path for entry in files}.difference(paths)
    patterns = sorted(set(map(_pattern, paths)))
    if any(fnmatchcase(other, pattern) for other in others for pattern in patterns):
        patterns = list(map(_escaped, paths))
    kinds = [format] if format else sorted(set(map(mime, paths)))
    return {
        "@type": "cr:FileSet",
        "@id": identifier,
        "name": identifier,
        "encodingFormat": kinds[0] if len(kinds) == 1 else kinds,
        "includes": patterns[0] if len(patterns) == 1 else patterns,
    }


def _escaped(path: str) -> str:
    """As a pattern that finds this only."""
    return re.sub(r"([*?\[\]])", r"[\1]", path)


def _pattern(path: str) -> str:
    top, slash, rest = path.partition("/")
    ending = _escaped(PurePosixPath(path).suffix)
    if not ending:
        return _escaped(path)
    if not slash:
        return f"*{ending}"
    return f"{_escaped(top)}/**/*{ending}" if "/" in rest else f"{_escaped(top)}/*{ending}"


def mime(path: str) -> str:
    """Of a file's name."""
    kind = _ENDINGS.get(suffix(path), "")
    return _MIME.get(kind, "application/json" if suffix(path) == ".json" else "application/octet-stream")
