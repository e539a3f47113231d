"""Which versions of a model should be served: pure choice, and the scan of a base path."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Latest:
    count: int = 1


@dataclass(frozen=True, slots=True)
class All:
    pass


@dataclass(frozen=True, slots=True)
class Specific:
    versions: tuple[int, ...]


Policy = Latest | All | Specific


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """A model as the configuration wants it."""

    name: str
    base_path: str
    policy: Policy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)


def choose(found: Collection[int], policy: Policy) -> tuple[int, ...]:
    """Newest first."""
    newest_first = sorted(found, reverse=True)
    match policy:
        case All():
            return tuple(newest_first)
        case Latest(count):
            return tuple(newest_first[: max(count, 1)])
        case Specific(versions):
            return tuple(version for version in newest_first if version in versions)


def scan(base_path: str) -> dict[int, Path]:
    """Version -> its folder. Raises OSError when the base path cannot be listed."""
    found: dict[int, Path] = {}
    for entry in sorted(Path(base_path).iterdir()):
        if entry.name.isascii() and entry.name.isdigit() and entry.is_dir():
            found.setdefault(int(entry.name), entry)
    return found
