import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.trainer.gates.files import NotWhole, look


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for path in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00002"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"1234")
    (tmp_path / "variables" / "variables.data-00001-of-00002").write_bytes(b"1234")
    return tmp_path


def test_a_whole_model_is_counted(model: Path) -> None:
    found = look(model)
    assert (found.count, found.total_bytes, found.shards) == (4, 16, 2)


def test_a_model_without_variables_is_whole(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"1")
    assert look(tmp_path).shards == 0


def spoiled(*steps: Callable[[Path], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        for step in steps:
            step(folder)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda m: (m / "saved_model.pb").unlink(), "has no saved_model.pb at its root"),
        (lambda m: (m / "variables" / "variables.index").unlink(), "no variables/variables.index; copy the whole"),
        (
            lambda m: (m / "variables" / "variables.data-00001-of-00002").unlink(),
            "it lacks variables/variables.data-00001-of-00002",
        ),
        (
            spoiled(*(lambda m, n=n: (m / "variables" / f"variables.data-0000{n}-of-00002").unlink() for n in (0, 1))),
            "no file of variables that belongs to it",
        ),
        (lambda m: (m / "link").symlink_to("/etc/hostname"), "link is a symbolic link; a model consists of"),
        (lambda m: os.mkfifo(m / "variables" / "p"), "variables/p is a pipe"),
        (lambda m: (m / "saved_model.pbtxt").write_bytes(b""), "has saved_model.pbtxt beside saved_model.pb"),
        (lambda m: (m / "saved_model.cpb").write_bytes(b""), "has saved_model.cpb beside saved_model.pb"),
        (lambda m: os.truncate(m / "saved_model.pb", 3 << 30), "bytes; 2147483648 are allowed"),
    ],
)
def test_what_is_not_whole_is_said(model: Path, spoil: Callable[[Path], object], problem: str) -> None:
    spoil(model)
    with pytest.raises(NotWhole) as caught:
        look(model)
    assert problem in str(caught.value)
