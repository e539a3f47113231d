"""Certificates of a throw-away authority, for tests of TLS."""

from dataclasses import dataclass
from pathlib import Path

from modelyard.foundation.objectstore.authority import write_certificate


@dataclass(frozen=True)
class Certificate:
    ca: Path
    cert: Path
    key: Path


def issue(folder: Path, name: str = "localhost") -> Certificate:
    """A certificate for `localhost`, of an authority of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    write_certificate(folder, name)
    return Certificate(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
