"""A requirements.txt: what it may ask for. Pure.

Every line names one version of one distribution and the hashes of its files; nothing is built, nothing is resolved.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from packaging.markers import InvalidMarker, Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from modelyard.trainer.domain import AttemptFailed, FailureClass

COMPILE = "uv pip compile --generate-hashes requirements.in -o requirements.txt"
COMPILE_WITH_PIP = "pip-compile --generate-hashes requirements.in"
OURS = frozenset(
    {
        "keras",
        "modelyard",
        "numpy",
        "protobuf",
        "tensorflow",
        "tensorflow-cpu",
        "tensorflow-gpu",
        "tf-keras",
        "tf-nightly",
    }
)
"""Every job runs on the worker's own."""
MODULES = ("google/protobuf", "keras", "modelyard", "numpy", "tensorflow", "tf_keras")
"""What none of the installed distributions may bring, whatever it is called; in the order of the alphabet."""
MAX_LINES = 2_000
_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?:\[[^\]]*\])?\s*===?\s*(?P<version>[^\s;]+)"
)
_HASH = re.compile(r"--hash[= ](?P<hash>\w+:[0-9a-f]{32,128})")
_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One version of one distribution."""

    name: str
    """As the package index writes it: `scikit-learn`."""
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={each}" for each in sorted(self.hashes))])


@dataclass(frozen=True, slots=True)
class Requirements:
    """What is to be installed, sorted by name."""

    wanted: tuple[Requirement, ...]

    @property
    def text(self) -> str:
        """The file that pip is given."""
        return "".join(f"{one}\n" for one in self.wanted)

    def key(self, platform: str) -> str:
        """A digest of what is installed on a platform."""
        return "sha256:" + hashlib.sha256(f"requirements {platform}\n{self.text}".encode()).hexdigest()


def parse_requirements(content: bytes, own: Mapping[str, str]) -> Requirements:
    """The file's lines that hold here. `own` are the worker's versions of OURS, by name.

    Raises AttemptFailed for what is not pinned, has no hash, or would replace what every job runs on.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise _refused("it is not text in UTF-8") from None
    wanted: dict[str, Requirement] = {}
    for number, line in _lines(text):
        requirement = _requirement(number, line)
        if requirement is None:
            continue
        if requirement.name in OURS:
            _check_own(requirement, own)
        elif wanted.setdefault(requirement.name, requirement) != requirement:
            raise _refused(f"line {number} asks for {requirement.name} a second time")
    if len(wanted) > MAX_LINES:
        raise _refused(f"it asks for {len(wanted)} distributions; {MAX_LINES} are allowed")
    return Requirements(tuple(wanted[name] for name in sorted(wanted)))


def shadowed(module: str) -> AttemptFailed:
    """A distribution brings a module that every job has from the worker."""
    return _refused(
        f"one of the distributions brings its own {module.replace('/', '.')}, which every job has from the worker; "
        "leave that distribution out"
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first one; comments and empty ones left out."""
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        goes_on = line.endswith("\\")
        pending += " " + _COMMENT.sub("", line.removesuffix("\\"))
        if not goes_on:
            if pending.strip():
                yield first, pending.strip()
            pending, first = "", 0
    if pending.strip():
        yield first, pending.strip()


def _requirement(number: int, line: str) -> Requirement | None:
    """None if its marker says that it is not for this platform."""
    shown = f"line {number} ({line[:80]})"
    if line.startswith("-"):
        raise _refused(
            f"{shown} is an option; only `name==version --hash=…` is taken, from the index that this worker is set to"
        )
    pinned = _PINNED.match(line)
    if pinned is None:
        raise _refused(f"{shown} does not pin a version: `name==version` it must be; make it with\n  {COMPILE}")
    hashes = tuple(_HASH.findall(line))
    if not hashes:
        raise _refused(
            f"{shown} has no --hash, without which nobody knows what is installed; make the file with\n"
            f"  {COMPILE}\nor\n  {COMPILE_WITH_PIP}"
        )
    name, version = canonicalize_name(pinned["name"]), pinned["version"]
    rest = _HASH.sub("", line[pinned.end() :]).strip()
    try:
        Version(version)
        applies = Marker(rest.removeprefix(";")).evaluate() if rest else True
    except InvalidVersion:
        raise _refused(f"{shown}: {version[:40]!r} is no version") from None
    except InvalidMarker:
        raise _refused(f"{shown} has something behind the version that is no marker") from None
    return Requirement(name, version, hashes) if applies else None


def _check_own(requirement: Requirement, own: Mapping[str, str]) -> None:
    """A line for what every job has anyway is fine as long as it says the same."""
    has = own.get(requirement.name)
    if has is not None and Version(has) == Version(requirement.version):
        return
    there = f"{requirement.name} {has}" if has else f"no {requirement.name}"
    raise _refused(
        f"it asks for {requirement.name} {requirement.version}, and every job runs on the worker's own TensorFlow, "
        f"Keras, NumPy and protobuf (here: {there}); leave it out with\n"
        f"  {COMPILE} --no-emit-package {requirement.name}"
    )


def _refused(problem: str) -> AttemptFailed:
    return AttemptFailed(FailureClass.REQUIREMENTS, f"requirements.txt can't be installed: {problem}")
