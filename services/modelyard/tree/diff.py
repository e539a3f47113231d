"""What a new version has to send, given the version it is pushed against."""

from collections.abc import Iterable
from dataclasses import dataclass

from modelyard.tree.entries import EMPTY_SHA256, Entry, File


@dataclass(frozen=True, slots=True)
class Diff:
    """A local folder against a base version."""

    kept: tuple[Entry, ...]
    """Local files whose bytes the base already has, placed where the base keeps them; sorted by path."""
    missing: tuple[File, ...]
    """Local files whose bytes must be sent; sorted by path."""
    removed: tuple[str, ...]
    """Paths of the base that are no longer there; sorted."""


def diff(base: Iterable[Entry], local: Iterable[File]) -> Diff:
    """Compare by content, so a renamed file or a second copy sends nothing.

    A path whose content is unchanged keeps the base's entry exactly.
    """
    base_by_path = {entry.path: entry for entry in base}
    places = {(entry.sha256, entry.size): entry for entry in base_by_path.values()}
    kept: list[Entry] = []
    missing: list[File] = []
    seen: set[str] = set()
    for file in sorted(local, key=lambda file: file.path):
        seen.add(file.path)
        same = base_by_path.get(file.path)
        if same is None or (same.sha256, same.size) != (file.sha256, file.size):
            same = places.get((file.sha256, file.size))
        if same is not None:
            kept.append(Entry(file.path, file.size, file.sha256, same.pack, same.offset))
        elif file.size == 0 and file.sha256 == EMPTY_SHA256:
            kept.append(Entry(file.path, 0, file.sha256, "", 0))
        else:
            missing.append(file)
    removed = tuple(sorted(path for path in base_by_path if path not in seen))
    return Diff(tuple(kept), tuple(missing), removed)
