"""How far work without steps of training says that it is."""

import threading
from pathlib import Path
from typing import Any, cast

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


def test_what_is_done_at_once_has_no_speed(tmp_path: Path) -> None:
    heard = Heard()
    training = Training(cast(Any, heard), Position(), tmp_path, None, 60.0, Board(tmp_path))
    training.count(48, 48, Watch(training))
    assert [message for message in heard.messages if isinstance(message, Progress)] == [Progress(48, 48, 1, 1, 0.0, {})]
