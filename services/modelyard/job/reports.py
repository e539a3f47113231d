"""What a job's code says of itself: points of curves, texts, pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelyard.job.board import Board, picture_of
from modelyard.job.errors import ContextMisused
from modelyard.job.fetched import numbers
from modelyard.job.messages import MAX_TEXT, Image, Text
from modelyard.job.training import Training


class Reports:
    """To the worker, and for TensorBoard; each at the step that training has come to."""

    def __init__(self, training: Training, board: Board) -> None:
        self._training = training
        self._board = board
        self._count = 0

    def values(self, given: Mapping[str, Any]) -> None:
        """See Context.report. Raises ContextMisused."""
        given = {str(name): value for name, value in given.items()}
        texts = {name: value for name, value in given.items() if isinstance(value, str)}
        fetched = numbers(given)
        wrong = next((name for name in given if name not in fetched and name not in texts), None)
        if wrong is not None:
            raise ContextMisused(
                f"report({wrong}=…) takes a number or a text, not {type(given[wrong]).__name__} of shape "
                f"{np.shape(given[wrong])}; report_image takes pictures"
            )
        self._training.report(fetched)
        for name, text in texts.items():
            self.text(name, text)
        self._count += 1
        if self._count > 1 or self._training.fits:
            # A loop's. Before any that shows here, a single one may be of what was prepared, as a model's size.
            self._training.begin()

    def text(self, name: str, text: str) -> None:
        """As Markdown."""
        step = self._training.step
        self._board.text(step, name, text)
        self._training.channel.send(Text(step, name, text[:MAX_TEXT]))

    def image(self, name: str, image: Any) -> None:
        """See Context.report_image."""
        step = self._training.step
        self._training.channel.send(Image(step, name, self._board.image(step, name, picture_of(image))))
