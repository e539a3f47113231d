"""The output `run` over several attempts: what earlier ones have drawn stays, each point once and in its order."""

from pathlib import Path

import numpy as np
import pytest

from modelyard.job import board
from modelyard.job.board import Board
from tests.integration.job.child import Child, code
from tests.support.event_files import points, points_of

TRAIN = "tensorboard/train"
GREY = np.zeros((2, 2, 1), np.uint8)


def train(run: Path, steps: range, *, attempt: int = 1, resumed: int | None = None) -> None:
    """Draw a loss, a held-out loss and a picture at each step."""
    drawing = Board(run, attempt=attempt, resumed=resumed)
    for step in steps:
        drawing.scalars(step, {"loss": 1 / step, "val_loss": 2 / step})
        drawing.text(step, "note", f"step {step}")
        drawing.image(step, "grid", GREY)
    drawing.flush()


def steps(run: Path, tag: str = "loss", part: str = TRAIN) -> list[int]:
    return [step for name, step, _ in points(run / part) if name == tag]


def test_what_the_dead_attempt_drew_behind_its_checkpoint_shows_once(tmp_path: Path) -> None:
    train(tmp_path, range(1, 9))
    train(tmp_path, range(6, 11), attempt=2, resumed=5)
    for tag, part in (("loss", TRAIN), ("note", TRAIN), ("grid", TRAIN), ("loss", "tensorboard/validation")):
        assert steps(tmp_path, tag, part) == list(range(1, 11))
    assert sorted(int(path.stem) for path in (tmp_path / "images/grid").iterdir()) == list(range(1, 11))


def test_pictures_behind_the_checkpoint_that_are_not_drawn_again_are_gone(tmp_path: Path) -> None:
    train(tmp_path, range(1, 9))
    train(tmp_path, range(6, 7), attempt=2, resumed=5)
    assert sorted(int(path.stem) for path in (tmp_path / "images/grid").iterdir()) == list(range(1, 7))


def test_a_point_at_the_checkpoint_itself_that_is_reported_again_is_the_same_point(tmp_path: Path) -> None:
    train(tmp_path, range(1, 6))
    train(tmp_path, range(5, 8), attempt=2, resumed=5)
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    again = Board(tmp_path, attempt=3, resumed=7)
    again.scalars(7, {"new": 1.0})
    again.flush()
    assert steps(tmp_path, "new") == [7]


def test_the_files_of_attempts_stay_apart_and_in_order_though_a_clock_goes_wrong(tmp_path: Path) -> None:
    train(tmp_path, range(1, 4))
    (file,) = (tmp_path / TRAIN).iterdir()
    file.rename(file.with_name("events.out.tfevents.9999999999.elsewhere.1.0.v2"))
    train(tmp_path, range(4, 7), attempt=2, resumed=3)
    train(tmp_path, range(7, 10), attempt=3, resumed=6)
    names = sorted(path.name for path in (tmp_path / TRAIN).iterdir())
    assert [name.partition(".")[0] for name in names] == ["attempt-0001", "attempt-0002", "events"]
    assert [step for _, step, _ in points_of(tmp_path / TRAIN / names[1])][::3] == [4, 5, 6]
    assert steps(tmp_path) == list(range(1, 10))


def test_a_file_that_keeps_all_it_has_stays_the_same_bytes(tmp_path: Path) -> None:
    train(tmp_path, range(1, 4))
    (file,) = (tmp_path / TRAIN).iterdir()
    before = file.read_bytes()
    Board(tmp_path, attempt=2, resumed=3)
    (file,) = (tmp_path / TRAIN).iterdir()
    assert file.name.startswith("attempt-0001.events.out.tfevents.")
    assert file.read_bytes() == before


@pytest.mark.parametrize("torn", [b"\x10", b"\xff" * 8, b"\x03" + bytes(11) + b"\xff\xff\xff" + bytes(4)])
def test_what_was_being_written_when_the_worker_was_killed_is_left_out(tmp_path: Path, torn: bytes) -> None:
    train(tmp_path, range(1, 4))
    (file,) = (tmp_path / TRAIN).iterdir()
    with file.open("ab") as more:
        more.write(torn)
    train(tmp_path, range(4, 6), attempt=2, resumed=3)
    assert steps(tmp_path) == [1, 2, 3, 4, 5]


def test_full_files_are_not_written_to_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "FULL_BYTES", 1000)
    drawing = Board(tmp_path)
    for step in range(1, 4):
        drawing.text(step, "note", "x" * 1000)
        drawing.flush()
    files = sorted((tmp_path / TRAIN).iterdir())
    assert len(files) == 3
    assert steps(tmp_path, "note") == [1, 2, 3]


def test_another_files_of_the_code_are_its_own(tmp_path: Path) -> None:
    train(tmp_path, range(1, 6))
    theirs = tmp_path / "mine" / "events.out.tfevents.1.theirs"
    theirs.parent.mkdir()
    theirs.write_bytes(b"what it likes")
    Board(tmp_path, attempt=2, resumed=3)
    assert theirs.read_bytes() == b"what it likes"


FAILS = """
from modelyard.job import context

context.report(loss=0.5)
raise ValueError("not my day")
"""


def test_what_was_reported_before_a_failure_is_in_the_files(tmp_path: Path) -> None:
    with Child(tmp_path, code=code(tmp_path, FAILS), entry="train", dataset="") as child:
        status, _ = child.finish()
    assert status == 1
    assert points(tmp_path / "outputs/run" / TRAIN) == [("loss", 0, 0.5)]
