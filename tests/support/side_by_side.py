"""Pytest plugin: which tests run beside which where pytest-xdist spreads them over processes (`make test`).

The tests of a module stay together, and so do the modules that share the installation of their folder. A test that is
marked `alone` measures time: while it runs, no other test of the run does.
"""

import fcntl
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

LONGEST_FIRST = ("e2e", "fault", "integration", "contract", "unit")
"""The folders in the order that leaves no process with a long module at the end."""
SHARED = (
    "tests/e2e",
    "tests/fault",
    "tests/contract/proxy",
    "tests/integration/gates",
    "tests/integration/modelserver",
)
"""What lies in these folders shares an installation, a proxy or models that take long to make; what lies below does
not."""
APART = ("tests/e2e/test_readme.py", "tests/e2e/test_stores.py", "tests/fault/test_full_disk.py")
"""Modules that have one of their own."""


def together(node: str) -> str:
    """The name of what runs in one process, one after the other."""
    module = node.partition("::")[0]
    folder = module.rpartition("/")[0]
    return folder if folder in SHARED and module not in APART else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid)

    config.option.loadscopereorder = False
    return Together(config, log)


class Turns:
    """Tests of several processes at once, or one alone; who waits to be alone is not overtaken."""

    def __init__(self, folder: Path) -> None:
        self._gate = (folder / "gate").open("w")
        self._room = (folder / "room").open("w")

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._room, fcntl.LOCK_UN)

    def close(self) -> None:
        self._gate.close()
        self._room.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        with self.taken(alone=item.get_closest_marker("alone") is not None):
            return (yield)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):  # one of several processes
        turns = Turns(Path(config.option.basetemp).parent)
        config.pluginmanager.register(turns)
        config.add_cleanup(turns.close)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.nodeid.split("/")[1]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else 0
