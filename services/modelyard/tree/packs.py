"""Which bytes travel together: small files share packs, so that 70,000 images are a few dozen objects."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.tree.entries import Entry, File

PACK_BYTES = 32 << 20
"""Where a shared pack is full; a file of this size or more is a pack of its own."""


@dataclass(frozen=True, slots=True)
class PlannedPack:
    """One object to upload: the bytes of `files` one after another, each at the offset its entry says."""

    pack: str
    size: int
    files: tuple[Entry, ...]
    """By offset; every file's bytes are written exactly once."""


@dataclass(frozen=True, slots=True)
class PackPlan:
    """The packs to upload and where every given file's bytes will be."""

    packs: tuple[PlannedPack, ...]
    entries: tuple[Entry, ...]
    """Sorted by path. Files of equal content share their place in one pack; empty files lie in none."""


def plan_packs(files: Iterable[File], *, prefix: str = "", pack_bytes: int = PACK_BYTES) -> PackPlan:
    """Put the files into packs named `{prefix}0`, `{prefix}1`, … in the order of their paths.

    Neighbours in a folder end up in one pack, so reading a folder back reads few ranges.
    """
    places: dict[tuple[str, int], Entry] = {}
    entries: list[Entry] = []
    groups: list[list[Entry]] = []
    shared: int | None = None
    filled = 0
    for file in sorted(files, key=lambda file: file.path):
        if file.size == 0:
            entries.append(Entry(file.path, 0, file.sha256, "", 0))
            continue
        place = places.get((file.sha256, file.size))
        if place is not None:
            entries.append(Entry(file.path, file.size, file.sha256, place.pack, place.offset))
            continue
        if file.size >= pack_bytes:
            entry = Entry(file.path, file.size, file.sha256, f"{prefix}{len(groups)}", 0)
            groups.append([entry])
        else:
            if shared is None or filled + file.size > pack_bytes:
                shared, filled = len(groups), 0
                groups.append([])
            entry = Entry(file.path, file.size, file.sha256, f"{prefix}{shared}", filled)
            groups[shared].append(entry)
            filled += file.size
        places[file.sha256, file.size] = entry
        entries.append(entry)
    packs = tuple(PlannedPack(group[0].pack, group[-1].offset + group[-1].size, tuple(group)) for group in groups)
    return PackPlan(packs, tuple(entries))
