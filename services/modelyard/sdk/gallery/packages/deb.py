"""Packages of Debian's archive, brought by apt; no root is needed and nothing is installed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.sdk.errors import ModelyardError
from modelyard.sdk.gallery.packages.client import Ran, run
from modelyard.sdk.gallery.packages.package import require, unavailable, verify
from modelyard.sdk.progress import Progress, silent

_ADVICE = "It is pinned as Debian 12 (bookworm) has it; a machine whose archive is another release does not find it"
_REACH = "apt looks where this machine's sources say: is there a network, or is a proxy to be set (http_proxy)?"
LISTS_BYTES = 9_000_000
"""About what a release's list of packages weighs."""


@dataclass(frozen=True, slots=True)
class Deb:
    """A Debian package; its files are unpacked into a folder, its scripts are not run."""

    package: str
    version: str
    digest: str
    """SHA-256 of the .deb."""
    size: int
    client = "apt"

    @property
    def requirement(self) -> str:
        """`dataset-fashion-mnist=0.0~git20200523.55506a9-1`."""
        return f"{self.package}={self.version}"

    def check(self) -> None:
        """Raise FailedPrecondition (CLIENT_MISSING) where there is no apt."""
        check_apt(self.requirement)

    def download(self, folder: Path, progress: Progress) -> Path:
        """The folder below `folder` that holds its files, as they would lie below `/`."""
        tried = [ran := self._get(folder, progress, {})]
        if not ran.ok:
            # The machine's lists of packages are empty or old; reading them anew is left to root, so this has its own.
            options = own_lists(folder)
            tried = [update(folder, options, progress), ran := self._get(folder, progress, options)]
        found = list(folder.glob("*.deb"))
        if not ran.ok or len(found) != 1:
            raise not_brought(self.requirement, tried, first_error(ran), _ADVICE)
        deb = verify(found[0], self.digest, self.requirement)
        files = folder / "files"
        unpacked = run(["dpkg-deb", "--extract", str(deb), str(files)], folder, self.size, silent)
        if not unpacked.ok:
            raise unavailable(self.requirement, first_error(unpacked), "Is the disk full?")
        deb.unlink()
        return files

    def _get(self, folder: Path, progress: Progress, options: Mapping[str, str]) -> Ran:
        command = ["apt-get", *as_arguments(options), "download", self.requirement]
        return run(command, folder, self.size, progress, inside=True)


def check_apt(requirement: str) -> None:
    """Raise FailedPrecondition (CLIENT_MISSING) where there is no apt."""
    how = "Debian and its kin have it. The gallery's other sets need pip or npm: modelyard datasets import --list"
    require("apt", ("apt-get", "dpkg-deb"), requirement, how)


def own_lists(folder: Path) -> dict[str, str]:
    """Options that keep apt's lists and caches below `folder`, out of the system's."""
    lists, cache = folder / "lists", folder / "cache"
    for each in (lists / "partial", cache / "archives" / "partial"):
        each.mkdir(parents=True)
    return {
        "Dir::State::lists": str(lists),
        "Dir::Cache": str(cache),
        "Dir::Cache::archives": str(cache / "archives"),
        "Acquire::Languages": "none",
        "Acquire::GzipIndexes": "false",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        "APT::Sandbox::User": "",
        "APT::Update::Post-Invoke": "",
        "APT::Update::Post-Invoke-Success": "",
    }


def update(folder: Path, options: Mapping[str, str], progress: Progress, size: int = LISTS_BYTES) -> Ran:
    """Read the archive's lists. A source that fails is no reason to give up: others may have the package."""
    return run(["apt-get", *as_arguments(options), "--quiet", "update"], folder, size, progress)


def as_arguments(options: Mapping[str, str]) -> list[str]:
    """Options of apt's configuration on its command line."""
    return [part for name, value in options.items() for part in ("--option", f"{name}={value}")]


def not_brought(requirement: str, tried: Sequence[Ran], why: str, advice: str) -> ModelyardError:
    """Unavailable: for want of the archive where apt says so, which it does beside success too; else as `why` says."""
    unreached = next(filter(None, map(unreachable, tried)), "")
    return unavailable(requirement, unreached or why, _REACH if unreached else advice)


def unreachable(ran: Ran) -> str:
    """The first file of the archive that apt could not fetch, and its reason; "" if there is none."""
    lines = (line.partition(": ")[2] for line in ran.said.splitlines() if line.startswith(("E: ", "W: ")))
    return next((" ".join(line.split()).rstrip(".") for line in lines if "Failed to fetch" in line), "")


def first_error(ran: Ran) -> str:
    """What apt or dpkg says went wrong."""
    lines = [line.removeprefix("E: ").strip() for line in ran.said.splitlines() if line.startswith("E: ")]
    return (lines or ran.said.strip().splitlines()[-1:] or ["it said nothing"])[0].rstrip(".")
