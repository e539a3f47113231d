"""A model's files, seen from outside: what they are called and how large they are. Nothing in them is read."""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GRAPH_FILE = "saved_model.pb"
VARIABLES = "variables/variables"
MAX_FILES = 10_000
MAX_GRAPH_BYTES = 2 << 30
"""Protobuf reads no message beyond this."""
MAX_INDEX_BYTES = 256 << 20
MAX_WARMUP_BYTES = 64 << 20
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
DESCRIPTION_FILE = "modelyard.model.json"
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")
_OTHER_FORMS = ("saved_model.pbtxt", "saved_model.cpb")
_LIMITS = {
    GRAPH_FILE: MAX_GRAPH_BYTES,
    f"{VARIABLES}.index": MAX_INDEX_BYTES,
    WARMUP_FILE: MAX_WARMUP_BYTES,
    DESCRIPTION_FILE: 16 << 20,
}


class NotWhole(Exception):
    """Something is missing, too large, or no file at all; the text is a sentence's end."""


@dataclass(frozen=True, slots=True)
class Files:
    """What is there."""

    count: int
    total_bytes: int
    shards: int
    """Files of variables; 0 for a model without any."""


def look(folder: Path) -> Files:
    """Raises NotWhole."""
    found: dict[str, int] = {}
    for path, entry in _walk(folder):
        status = entry.stat(follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise NotWhole(f"{path} is {_kind(status.st_mode)}; a model consists of regular files and folders")
        if len(found) >= MAX_FILES:
            raise NotWhole(f"it has more than {MAX_FILES} files")
        found[path] = status.st_size
    if GRAPH_FILE not in found:
        raise NotWhole(f"it has no {GRAPH_FILE} at its root, so it is no SavedModel")
    for other in _OTHER_FORMS:
        # TensorFlow's loader has its own order of preference: what was checked has to be what is loaded.
        if other in found:
            raise NotWhole(f"it has {other} beside {GRAPH_FILE}; leave only {GRAPH_FILE}")
    for path, limit in _LIMITS.items():
        if found.get(path, 0) > limit:
            raise NotWhole(f"{path} has {found[path]} bytes; {limit} are allowed")
    return Files(len(found), sum(found.values()), _shards(found))


def _walk(folder: Path, below: str = "") -> Iterator[tuple[str, "os.DirEntry[str]"]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if path.count("/") > 32:
                    raise NotWhole("its folders lie more than 32 deep")
                yield from _walk(folder / entry.name, f"{path}/")
            else:
                yield path, entry


def _kind(mode: int) -> str:
    for test, name in ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket")):
        if test(mode):
            return name
    return "a device"


def _shards(found: dict[str, int]) -> int:
    """How many files of variables there are; each of its number is there, and so is their index."""
    names = [path.removeprefix("variables/") for path in found if path.startswith("variables/")]
    shards = sorted(match.groups() for name in names if (match := _SHARD.fullmatch(name)))
    if not shards:
        if f"{VARIABLES}.index" in found:
            raise NotWhole(f"it has {VARIABLES}.index, and no file of variables that belongs to it")
        return 0
    if f"{VARIABLES}.index" not in found:
        raise NotWhole(f"it has files of variables, and no {VARIABLES}.index; copy the whole folder")
    totals = {total for _, total in shards}
    count = int(min(totals))
    there = {int(number) for number, _ in shards}
    missing = sorted(set(range(count)) - there)
    if len(totals) > 1 or missing or max(there) >= count:
        lacking = f"{VARIABLES}.data-{missing[0]:05d}-of-{count:05d}" if missing else "a set that belongs together"
        raise NotWhole(f"its variables are not complete: it lacks {lacking}; copy the whole folder")
    return count
