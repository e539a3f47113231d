"""Packages of the npm registry, brought by npm."""

import re
from dataclasses import dataclass
from pathlib import Path

from modelyard.sdk.errors import ModelyardError
from modelyard.sdk.gallery.packages.client import run
from modelyard.sdk.gallery.packages.package import require, unavailable, verify
from modelyard.sdk.progress import Progress

_NOISE = re.compile(r"^npm (error|ERR!)\s*(code\s.*|errno\s.*|syscall\s.*|)\s*")


@dataclass(frozen=True, slots=True)
class Tarball:
    """A package's archive; its scripts are not run and what it depends on is not brought."""

    package: str
    version: str
    digest: str
    """SHA-256."""
    size: int
    client = "npm"

    @property
    def requirement(self) -> str:
        """`emoji-datasource-google@16.0.0`."""
        return f"{self.package}@{self.version}"

    def check(self) -> None:
        """Raise FailedPrecondition (CLIENT_MISSING) where there is no npm."""
        require("npm", ("npm",), self.requirement, "install Node.js, which brings it")

    def download(self, folder: Path, progress: Progress) -> Path:
        """Put the archive into `folder`."""
        packed = folder / "packed"
        packed.mkdir()
        command = ["npm", "pack", self.requirement, "--ignore-scripts", "--no-audit", "--no-fund", "--no-color"]
        command += ["--no-update-notifier", "--loglevel", "error", "--cache", str(folder / "cache")]
        ran = run([*command, "--pack-destination", str(packed)], folder, self.size, progress)
        found = list(packed.iterdir())
        if not ran.ok or len(found) != 1:
            raise _failure(self.requirement, ran.said)
        return verify(found[0], self.digest, self.requirement)


def _failure(requirement: str, said: str) -> ModelyardError:
    lines = [text for line in said.splitlines() if (text := _NOISE.sub("", line).strip())]
    why = lines[0].rstrip(".") if lines else "it said nothing"
    return unavailable(requirement, why, "`npm config get registry` says where it was looked for")
