"""How `make test` spreads the tests over processes."""

import fcntl
import threading
from pathlib import Path

import pytest

from tests.support.side_by_side import APART, SHARED, Turns, together
from tests.support.stack import until

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("node", "unit"),
    [
        ("tests/unit/tree/test_tree.py::test_a[x/y]", "tests/unit/tree/test_tree.py"),
        ("tests/contract/inference/test_hosts.py::TestHosts::test_a", "tests/contract/inference/test_hosts.py"),
        ("tests/e2e/test_main_job.py::test_a", "tests/e2e"),
        ("tests/e2e/test_readme.py::test_a", "tests/e2e/test_readme.py"),
        ("tests/fault/test_supervisor.py::test_a[2]", "tests/fault"),
        ("tests/fault/sandbox/test_bombs.py::test_a", "tests/fault/sandbox/test_bombs.py"),
    ],
)
def test_a_module_stays_together_and_so_do_those_with_one_installation(node: str, unit: str) -> None:
    assert together(node) == unit


def test_what_it_names_is_there() -> None:
    for place in (*SHARED, *APART):
        assert (ROOT / place).exists(), place


def somebody_waits(folder: Path) -> bool:
    with (folder / "gate").open("w") as gate:
        try:
            fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_who_wants_to_be_alone_waits_for_the_others_and_is_not_overtaken(tmp_path: Path) -> None:
    order: list[str] = []
    processes = [Turns(tmp_path) for _ in range(4)]

    def run(turns: Turns, name: str, *, alone: bool) -> None:
        with turns.taken(alone=alone):
            order.append(name)

    alone = threading.Thread(target=run, args=(processes[2], "alone"), kwargs={"alone": True})
    late = threading.Thread(target=run, args=(processes[3], "late"), kwargs={"alone": False})
    with processes[0].taken(alone=False), processes[1].taken(alone=False):
        alone.start()
        until(lambda: somebody_waits(tmp_path))
        late.start()
        assert order == []
    alone.join()
    late.join()
    assert order == ["alone", "late"]
    for turns in processes:
        turns.close()
