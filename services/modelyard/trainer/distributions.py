"""What lies in a folder of installed distributions, and what they lack."""

from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from modelyard.trainer.work import Distribution

_MAX_LICENSE = 200


def distributions(folder: Path) -> tuple[Distribution, ...]:
    """Sorted by name."""
    found = [
        Distribution(canonicalize_name(one.name), one.version, _license(one))
        for one in metadata.distributions(path=[str(folder)])
        if one.name
    ]
    return tuple(sorted(found, key=lambda one: one.name))


def missing(folder: Path) -> list[str]:
    """Sentences about what the distributions need and neither the folder nor the worker has in a fitting version."""
    here = {one.name: one.version for one in distributions(folder)}
    lacks = []
    for one in metadata.distributions(path=[str(folder)]):
        for line in one.requires or []:
            try:
                needed = Requirement(line)
            except InvalidRequirement:
                continue  # an old distribution's own spelling; what it means nobody can say
            if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
                continue
            version = here.get(canonicalize_name(needed.name)) or _own(needed.name)
            if version is None or not needed.specifier.contains(version, prereleases=True):
                there = f"there is {version}" if version else "it is not listed"
                lacks.append(f"{one.name} {one.version} needs {needed.name}{needed.specifier}, and {there}")
    return sorted(lacks)


def _own(name: str) -> str | None:
    """The worker's own version, which the job sees behind the folder."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _license(one: metadata.Distribution) -> str:
    """The first line that says anything: the expression, the field, or what the classifiers name."""
    meta = one.metadata
    said = [line for key in ("License-Expression", "License") for line in meta.get_all(key) or []]
    said += [line.rpartition("::")[2] for line in meta.get_all("Classifier") or [] if line.startswith("License ::")]
    lines = [text.strip().splitlines()[0].strip() for text in said if text and text.strip() not in ("", "UNKNOWN")]
    return lines[0][:_MAX_LICENSE] if lines else ""
