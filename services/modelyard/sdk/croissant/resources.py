"""The files of a version: each by itself, or many of one kind as a set."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from modelyard.layouts.names import IMAGES, SOUNDS, TABLES, TEXTS, VIDEOS, suffix
from modelyard.tree import Entry

CONTAINER = "files"
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


def container(version: str, digest: str, pulled: str) -> dict[str, Any]:
    """The folder that has all of them; a version has no address on the web."""
    return {
        "@type": "cr:FileObject",
        "@id": CONTAINER,
        "name": CONTAINER,
        "description": f"The folder that `modelyard datasets pull {pulled} FOLDER` writes, with its tree's hash.",
        "contentUrl": f"modelyard:{version}",
        "encodingFormat": "inode/directory",
        "sha256": digest.removeprefix("sha256:"),
    }


def file_object(entry: Entry) -> dict[str, Any]:
    """One file."""
    return {
        "@type": "cr:FileObject",
        "@id": entry.path,
        "name": PurePosixPath(entry.path).name,
        "contentUrl": entry.path,
        "containedIn": {"@id": CONTAINER},
        "contentSize": f"{entry.size} B",
        "encodingFormat": mime(entry.path),
        "sha256": entry.sha256,
    }


def file_set(identifier: str, entries: Sequence[Entry]) -> dict[str, Any]:
    """Many files of one kind."""
    patterns = sorted({_pattern(entry.path) for entry in entries})
    kinds = sorted({mime(entry.path) for entry in entries})
    return {
        "@type": "cr:FileSet",
        "@id": identifier,
        "name": identifier,
        "containedIn": {"@id": CONTAINER},
        "encodingFormat": kinds[0] if len(kinds) == 1 else kinds,
        "includes": patterns[0] if len(patterns) == 1 else patterns,
    }


def _pattern(path: str) -> str:
    top, slash, rest = path.partition("/")
    ending = re.sub(r"([*?\[\]])", r"[\1]", PurePosixPath(path).suffix)
    if not slash:
        return f"*{ending}"
    return f"{top}/**/*{ending}" if "/" in rest else f"{top}/*{ending}"


def mime(path: str) -> str:
    """Of a file's name."""
    kind = _ENDINGS.get(suffix(path), "")
    return _MIME.get(kind, "application/json" if suffix(path) == ".json" else "application/octet-stream")
