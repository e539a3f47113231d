"""What a job says of how far it is, and when it keeps it."""

import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

from modelyard.job.batches import Position
from modelyard.job.board import Board
from modelyard.job.messages import Progress
from modelyard.job.training import Training, Watch


class Heard:
    """A channel that keeps what is sent."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.published = 0
        self.messages: list[Any] = []

    def send(self, message: Any) -> None:
        self.messages.append(message)


def training(folder: Path, checkpoint_every_s: float = 60.0) -> tuple[Training, Heard]:
    heard = Heard()
    return Training(cast(Any, heard), Position(), folder, None, checkpoint_every_s, Board(folder)), heard


def test_what_is_done_at_once_has_no_speed(tmp_path: Path) -> None:
    counting, heard = training(tmp_path)
    counting.count(48, 48, Watch(counting))
    assert [message for message in heard.messages if isinstance(message, Progress)] == [Progress(48, 48, 1, 1, 0.0, {})]


@pytest.mark.parametrize(
    ("checkpoint_every_s", "since_s", "kept"),
    [(60.0, 9.0, False), (60.0, 10.0, True), (2.0, 1.0, False), (2.0, 2.0, True)],
)
def test_an_epochs_end_is_kept_unless_one_was_shortly_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint_every_s: float, since_s: float, kept: bool
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    going, _ = training(tmp_path, checkpoint_every_s)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + since_s)
    assert going.is_worth_saving() is kept
