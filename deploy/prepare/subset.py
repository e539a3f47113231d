"""Prints the part of the lock that some extras need, for images: `python3 -m deploy.prepare.subset catalog`.

The lock says for each package who wants it ("# via"), so the part is found without an index: from the extras of
pyproject.toml on, everything wanted by what is in already. "build" is the build backend.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ("editables", "hatchling")
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
OWN_EXTRAS = re.compile(r"^modelyard\[([^\]]+)\]$")


def roots(project: Mapping[str, object], extras: Iterable[str]) -> set[str]:
    """Names of the packages that the project and these extras ask for themselves."""
    table = project["project"]
    assert isinstance(table, dict)
    optional = table["optional-dependencies"]
    wanted, waiting = list(table["dependencies"]), list(extras)
    while waiting:
        for requirement in optional[waiting.pop()]:
            own = OWN_EXTRAS.match(requirement)
            waiting += own[1].split(",") if own else []
            wanted += [] if own else [requirement]
    return {_name(requirement) for requirement in wanted}


def subset(lock: str, names: Iterable[str]) -> str:
    """The blocks of these packages and of all that they need."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    wanted = set(names)
    while True:
        more = {_name(block) for block in blocks if wanted & _wanted_by(block)} - wanted
        if not more:
            return "".join(block for block in blocks if _name(block) in wanted)
        wanted |= more


def _wanted_by(block: str) -> set[str]:
    _, _, via = block.partition("# via")
    return {_name(line.strip(" #")) for line in via.splitlines() if line.strip(" #")}


def _name(requirement: str) -> str:
    found = NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def main() -> None:
    lock = (ROOT / "deploy" / "requirements.txt").read_text()
    if sys.argv[1:] == ["build"]:
        print(subset(lock, BUILD), end="")
    else:
        print(subset(lock, roots(tomllib.loads((ROOT / "pyproject.toml").read_text()), sys.argv[1:])), end="")


if __name__ == "__main__":
    main()
