"""What every package has in common, and the sentences for what can go wrong with one."""

import shutil
from pathlib import Path
from typing import Protocol

from modelyard.sdk.errors import DataLoss, FailedPrecondition, ModelyardError, Unavailable
from modelyard.sdk.gallery.digests import sha256
from modelyard.sdk.progress import Progress


class Package(Protocol):
    """Exactly one package, or what else a client brings."""

    @property
    def client(self) -> str:
        """The program that brings it: pip, npm or apt."""
        ...

    @property
    def requirement(self) -> str:
        """Its name and version, as its registry writes them."""
        ...

    @property
    def size(self) -> int:
        """Of the download, in bytes."""
        ...

    def check(self) -> None:
        """Raise FailedPrecondition (CLIENT_MISSING, CLIENT_TOO_OLD) where its client is not there."""
        ...

    def download(self, folder: Path, progress: Progress) -> Path:
        """Put it into the empty `folder`; where it is then. Nothing of it is installed.

        Raises DataLoss (PACKAGE_CHANGED), Unavailable (PACKAGE_UNAVAILABLE), or OSError where the folder can't be
        written; nothing is kept then.
        """
        ...


def require(client: str, programs: tuple[str, ...], requirement: str, how: str) -> None:
    """Raise FailedPrecondition (CLIENT_MISSING) unless every program is on the PATH."""
    for program in programs:
        if shutil.which(program) is None:
            raise client_missing(client, f"{requirement} is downloaded by {program}, which this machine lacks; {how}")


def client_missing(client: str, message: str) -> ModelyardError:
    """The client of a registry is not there."""
    return FailedPrecondition(message, reason="CLIENT_MISSING", facts={"client": client})


def verify(path: Path, digest: str, requirement: str) -> Path:
    """`path`, if it is the file that is pinned; else DataLoss (PACKAGE_CHANGED)."""
    if sha256(path) != digest:
        raise changed(requirement)
    return path


def changed(requirement: str) -> ModelyardError:
    """Another file under the same name."""
    return DataLoss(
        f"{requirement} from your registry is another file than the one that is pinned; nothing was kept",
        reason="PACKAGE_CHANGED",
        facts={"package": requirement},
    )


def unavailable(requirement: str, why: str, advice: str) -> ModelyardError:
    """Its client brought nothing."""
    return Unavailable(
        f"{requirement} can't be downloaded: {why}. {advice}",
        reason="PACKAGE_UNAVAILABLE",
        facts={"package": requirement},
    )
