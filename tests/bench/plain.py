"""The founding network on MNIST as a plain Keras script: what the demo and the training rows are held against.

python -m tests.bench.plain whole            three epochs, then the 10,000 images; prints {"accuracy": …}
python -m tests.bench.plain steps FIRST LAST one epoch; prints {"steps_per_s": …} between these steps
"""

import json
import os
import sys
import time
from typing import Any

import keras
import numpy as np

from modelyard.sdk import gallery

EPOCHS, BATCH = 3, 32


def model() -> Any:
    """That of the template `image-classification`."""
    network = keras.Sequential(
        [
            keras.Input((28, 28, 1), dtype="uint8", name="image"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(32, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Conv2D(64, (3, 3), activation="relu"),
            keras.layers.MaxPooling2D((2, 2)),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    network.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return network


def split(prefix: str) -> tuple[Any, Any]:
    """Images uint8 [n, 28, 28, 1] and labels int64 [n]."""
    cached = gallery.find("mnist").fetch()
    images = np.fromfile(cached / f"{prefix}-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return images, np.fromfile(cached / f"{prefix}-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)


def whole() -> None:
    network = model()
    network.fit(*split("train"), batch_size=BATCH, epochs=EPOCHS, verbose=0)
    _, accuracy = network.evaluate(*split("t10k"), batch_size=BATCH, verbose=0)
    print(json.dumps({"accuracy": float(accuracy)}))


def steps(first: int, last: int) -> None:
    """The train function is wrapped, as a callback with a hook for batches would make Keras fetch their metrics."""
    network = model()
    network.make_train_function()
    train = network.train_function
    ends: list[float] = []

    def timed(batches: Any) -> Any:
        logs = train(batches)
        ends.append(time.perf_counter())
        if len(ends) == last:
            print(json.dumps({"steps_per_s": (last - first) / (ends[last - 1] - ends[first - 1])}), flush=True)
            os._exit(0)
        return logs

    network.train_function = timed
    network.fit(*split("train"), batch_size=BATCH, epochs=1, verbose=0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["whole"]:
            whole()
        case ["steps", first, last]:
            steps(int(first), int(last))
        case _:
            sys.exit(__doc__)
