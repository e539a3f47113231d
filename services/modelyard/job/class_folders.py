"""Layout class_folders: `class/file.png`, or `train/class/file.png` and `test/class/file.png`."""

import struct
from collections.abc import Mapping

import numpy as np

from modelyard.job.description import Description, hash_split
from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.job.layout import RECORD, Layout, LayoutSplit, PackFiles
from modelyard.tree import Entry

HEAD_BYTES = 26
_PNG = b"\x89PNG\r\n\x1a\n"
_SIGNATURES = (_PNG, b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
SPLIT_NAMES = ("train", "validation", "test")


def read_layout(description: Description, entries: Mapping[str, Entry], files: PackFiles) -> Layout:
    """Raises DatasetDescriptionWrong for a folder that is no class, a file that is no image, or a PNG of another size.

    Files at the root and folders that begin with a dot are not examples.
    """
    labels = {name: number for number, name in enumerate(description.classes)}
    records: dict[str, list[tuple[int, int, int, int]]] = {name: [] for name in description.splits}
    paths: dict[str, list[str]] = {name: [] for name in description.splits}
    for path, entry in entries.items():
        if path.startswith(".") or "/" not in path:
            continue
        split, name = _place(description, path)
        if name not in labels:
            raise DatasetDescriptionWrong(path, f"folder {name!r} is no class; the description claims {_named(labels)}")
        if split not in records:
            raise DatasetDescriptionWrong(path, f"is of split {split!r}, which the description does not claim")
        _check_image(description, entry, files.read(entry, 0, HEAD_BYTES))
        number = files.number(files.packs[entry.pack])
        records[split].append((entry.offset, entry.size, number, labels[name]))
        paths[split].append(path)
    return Layout(
        {
            name: LayoutSplit(
                np.array(rows, RECORD), tuple(paths[name]), f"{name}/" if description.split_rule == "folder" else "/"
            )
            for name, rows in records.items()
        },
        description.image_shape,
    )


def _place(description: Description, path: str) -> tuple[str, str]:
    first, *rest = path.split("/")
    if description.split_rule == "hash-10":
        return hash_split(path), first
    if first not in SPLIT_NAMES or len(rest) < 2:
        raise DatasetDescriptionWrong(
            path, "is not under train/, validation/ or test/ and a class, as split_rule 'folder' says"
        )
    return first, rest[0]


def _named(labels: Mapping[str, int]) -> str:
    names = list(labels)
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _check_image(description: Description, entry: Entry, head: bytes) -> None:
    if not head.startswith(_SIGNATURES):
        raise DatasetDescriptionWrong(entry.path, f"begins with {head[:8]!r}; it is no PNG, JPEG, GIF or BMP image")
    if not head.startswith(_PNG) or len(head) < HEAD_BYTES:
        return
    width, height, _, colour = struct.unpack(">IIBB", head[16:26])
    for name, found, claimed in zip(("high", "wide"), (height, width), description.image_shape, strict=False):
        if claimed is not None and found != claimed:
            raise DatasetDescriptionWrong(entry.path, f"is {found} pixels {name}; the description claims {claimed}")
    if colour not in _PNG_CHANNELS:
        raise DatasetDescriptionWrong(entry.path, f"is a PNG of the unknown colour type {colour}")
