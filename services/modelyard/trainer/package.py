"""What a user's package says of itself: where its code begins and what its parameters are."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.foundation.errors import ModelyardError
from modelyard.templates.parameters import check_size, check_untyped
from modelyard.templates.specs import MAX_SPEC_BYTES, SPEC_FILE, parse_template, read_template
from modelyard.trainer.domain import AttemptFailed, FailureClass

REQUIREMENTS_FILE = "requirements.txt"
MAX_REQUIREMENTS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """Ready to run."""

    entry: str
    parameters: Mapping[str, Any]
    requirements: bytes
    """Empty: it needs none."""


def read_package(folder: Path, name: str, entry: str, parameters: Mapping[str, Any]) -> Package:
    """Check what the job was given against the package's own files, whatever was said of them when it was pushed.

    Raises AttemptFailed.
    """
    try:
        check_size(parameters)
        if (folder / SPEC_FILE).is_file():
            text = _read(folder / SPEC_FILE, MAX_SPEC_BYTES).decode("utf-8", "replace")
            template = parse_template(text, name, folder)
            typed, entry = template.complete(parameters), entry or template.entry
            needed = template.wants_requirements(typed)
        else:
            needed = True
            typed = check_untyped({key: _number(value) for key, value in parameters.items()})
    except ModelyardError as error:
        raise AttemptFailed(FailureClass.USER_CODE, error.message) from error
    return Package(entry or _only_module(folder, name), typed, _requirements(folder) if needed else b"")


def shipped_requirements(folder: Path, parameters: Mapping[str, Any]) -> bytes:
    """What a shipped template wants installed for these parameters; empty where it wants nothing."""
    return _requirements(folder) if read_template(folder).wants_requirements(parameters) else b""


def _requirements(folder: Path) -> bytes:
    path = folder / REQUIREMENTS_FILE
    return _read(path, MAX_REQUIREMENTS_BYTES) if path.is_file() else b""


def _number(value: Any) -> Any:
    """Protobuf has one kind of number; one that is whole was meant so."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _only_module(folder: Path, name: str) -> str:
    modules = sorted(path.stem for path in folder.glob("*.py"))
    if len(modules) == 1:
        return modules[0]
    there = ", ".join(modules[:20]) or "no Python file"
    raise AttemptFailed(
        FailureClass.USER_CODE, f"{name} does not say where its code begins; give --entry module:function ({there})"
    )


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise AttemptFailed(FailureClass.USER_CODE, f"{path.name} has more than {most} bytes")
    return content
