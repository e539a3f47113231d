"""Where what was made is kept, whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.sdk.gallery.digests import tree_digest


def cache_folder() -> Path:
    """Where sets are kept: below XDG_CACHE_HOME, by default `~/.cache`. Absolute, for apt runs elsewhere."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen).absolute() if chosen else Path.home() / ".cache") / "modelyard" / "gallery"


class Kept:
    """One set's place in the cache: `<name>`, and beside it a stamp, a lock and, while it is made, a scratch folder."""

    def __init__(self, name: str) -> None:
        place = cache_folder()
        self.folder = place / name
        """Its files, if it is whole."""
        self._stamp = place / f".{name}.digest"
        self._lock = place / f".{name}.lock"
        self._scratch = place / f".{name}.new"

    def digests(self) -> tuple[str, str]:
        """That of its files as they are now, and the one that was pinned when they were made.

        Both are empty if the files are not there or not what was kept.
        """
        try:
            stamped, _, pinned = self._stamp.read_text().partition(" ")
        except (FileNotFoundError, NotADirectoryError):
            return "", ""
        return (stamped, pinned) if self.folder.is_dir() and tree_digest(self.folder) == stamped else ("", "")

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty folder to make it in; one process at a time. What a killed one left is cleared away."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._clear()
            try:
                self._scratch.mkdir()
                yield self._scratch
            finally:
                self._clear()

    def keep(self, made: Path, digest: str, pinned: str) -> None:
        """Put a folder out of the scratch folder into its place; the digests are its own and the one that is pinned."""
        if self.folder.exists():
            self._stamp.unlink(missing_ok=True)
            self.folder.replace(self._scratch / "old")
        made.replace(self.folder)
        stamp = self._scratch / "digest"
        stamp.write_text(f"{digest} {pinned}")
        stamp.replace(self._stamp)

    def _clear(self) -> None:
        if self._scratch.exists():
            shutil.rmtree(self._scratch)
