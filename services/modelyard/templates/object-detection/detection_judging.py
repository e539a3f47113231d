"""How well a detector does on what is held out, after each epoch."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from detection_serving import LEAST, Finding
from numpy.typing import NDArray

from modelyard.job import context
from modelyard.templates.evaluate.average_precision import Boxes, Precision, true_boxes
from modelyard.templates.samples import tell

SHOWN = 4
"""Pictures that are shown with what was found on them."""
_SURE = 0.3
_COLOURS = np.array([[0.19, 0.44, 0.87]], np.float32)


class Judging(keras.callbacks.Callback):
    """Adds `val_map50` to an epoch's metrics, and shows pictures with boxes. Comes before the job's own callbacks."""

    def __init__(self, finding: Finding, examples: Any, names: tuple[str, str], classes: int) -> None:
        """`examples`: batches of the held-out split; `names`: of the boxes and their labels."""
        super().__init__()
        self._find = tf.function(lambda image: finding.found(image, LEAST))
        self._examples = examples
        self._names = names
        self._classes = classes

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """The metric's name is the one that `evaluate` has, with `val_` before it."""
        precision = Precision(self._classes)
        for number, (image, truth) in enumerate(self._examples):
            boxes, labels, scores = (part.numpy() for part in self._find(image))
            if not number:
                _show(image.numpy(), boxes, scores)
                tell(context, epoch, _named(labels, scores, truth[self._names[1]].numpy()))
            edges, of = (truth[name].numpy() for name in self._names)
            for at in range(len(labels)):
                there = np.flatnonzero(labels[at] >= 0)
                found = Boxes(boxes[at, there], labels[at, there].astype(np.int64), scores[at, there])
                precision.add(true_boxes(edges[at], of[at]), found)
        if logs is not None and precision.counts()[0].any():
            logs["val_map50"] = precision.metrics()["map50"]


def _named(labels: NDArray[np.int64], scores: NDArray[np.float32], truth: NDArray[np.int64]) -> Iterable[str]:
    """What is found on the same pictures, and what is on them."""
    for at in range(min(SHOWN, len(labels))):
        sure = np.flatnonzero((labels[at] >= 0) & (scores[at] >= _SURE))
        found = ", ".join(f"{context.classes[int(labels[at, each])]} {scores[at, each]:.2f}" for each in sure.tolist())
        there = ", ".join(context.classes[label] for label in truth[at].tolist() if label >= 0)
        yield f"{context.example_path(str(context.held_out), at)}: **{found or 'nothing'}** ({there or 'nothing'})"


def _show(image: NDArray[np.uint8], boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> None:
    """The first few of a batch."""
    height, width = image.shape[1:3]
    some = image[:SHOWN, ..., :3].astype(np.float32) / 255
    some = np.repeat(some, 3 // some.shape[-1], axis=-1) if some.shape[-1] in (1, 3) else some[..., :1].repeat(3, -1)
    parts = boxes[:SHOWN][..., [1, 0, 3, 2]] / np.array([height, width] * 2, np.float32)
    parts[scores[:SHOWN] < _SURE] = 0
    context.report_image("found", tf.image.draw_bounding_boxes(some, parts, _COLOURS).numpy())
