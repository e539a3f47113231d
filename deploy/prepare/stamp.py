"""What the environment was made of: the note in .venv that lets the next run do nothing."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "modelyard-setup.json"


@dataclass(frozen=True)
class Stamp:
    lock: str = ""
    """SHA-256 of the lock file."""
    project: str = ""
    """SHA-256 of pyproject.toml: when it alone has changed, only the project itself is installed again."""
    python: str = ""
    extras: str = ""
    root: str = ""
    """Scripts in an environment carry its path, so a moved folder needs a new one."""


def wanted(lock: Path, project: Path, python: str, extras: str, root: Path) -> Stamp:
    return Stamp(_digest(lock), _digest(project), python, extras, str(root))


def installed(venv: Path) -> Stamp:
    """The stamp of a finished set-up; an empty one where there is none, or nothing that runs."""
    try:
        facts = json.loads((venv / NAME).read_text())
        runs = os.access(venv / "bin" / "python", os.X_OK)
        return Stamp(**facts) if runs else Stamp()
    except (OSError, ValueError, TypeError):
        return Stamp()


def write(venv: Path, stamp: Stamp) -> None:
    (venv / NAME).write_text(json.dumps(asdict(stamp), indent=1) + "\n")


def remove(venv: Path) -> None:
    (venv / NAME).unlink(missing_ok=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
