"""Stands in for `modelyard.job` where a script of a job is run by plain python: data from files, nothing behind it.

It times the training steps by its own clock: $BENCH_FIRST and $BENCH_LAST are step numbers, and when the last is done
{"steps_per_s": …} is written to $BENCH_ANSWER and the process ends. $BENCH_DATA has images.npy and labels.npy.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np


class Context:
    """As much of a job's context as the founding script uses."""

    def arrays(self, split: str) -> tuple[Any, Any]:
        """Images and labels; there is one split."""
        folder = Path(os.environ["BENCH_DATA"])
        return np.load(folder / "images.npy"), np.load(folder / "labels.npy")

    def export(self, model: Any) -> None:
        """The window ends before the script does."""
        raise RuntimeError(f"training was over before step {os.environ['BENCH_LAST']}")


context = Context()


def _time_steps(first: int, last: int, answer: Path) -> None:
    """Wrap what Keras calls for each step: a callback with a hook for batches would make it fetch their metrics."""
    make = keras.Model.make_train_function
    ends: list[float] = []

    def made(model: Any, force: bool = False) -> Any:
        make(model, force)
        train = model.train_function

        def timed(batches: Any) -> Any:
            logs = train(batches)
            ends.append(time.perf_counter())
            if len(ends) == last:
                answer.write_text(json.dumps({"steps_per_s": (last - first) / (ends[last - 1] - ends[first - 1])}))
                os._exit(0)
            return logs

        model.train_function = timed

    keras.Model.make_train_function = made


_time_steps(int(os.environ["BENCH_FIRST"]), int(os.environ["BENCH_LAST"]), Path(os.environ["BENCH_ANSWER"]))
