"""Asks the deployment about every held-out image, through the proxy."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.local.demo import DEPLOYMENT
from modelyard.local.demo.data import HeldOut
from modelyard.local.demo.phases import say
from modelyard.sdk import Client
from modelyard.sdk.errors import DataLoss
from modelyard.sdk.tensors import rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 100
IN_FLIGHT = 4
SINGLES = 1000
_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of it."""

    images: int
    right: int
    images_per_s: float
    """In batches of BATCH, IN_FLIGHT at once."""
    p50_s: float
    p99_s: float
    """Of SINGLES requests with one image each, one after the other."""

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.images


def ask(client: Client, data: HeldOut) -> Answers:
    """All images in batches, then some one by one. Raises DataLoss if the two ways give different answers."""
    count = len(data.images)
    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT, "predict") as askers:
        asked = [askers.submit(_classes, client, data.images[at : at + BATCH]) for at in range(0, count, BATCH)]
        classes = np.concatenate([each.result() for each in asked])
    images_per_s = count / (time.perf_counter() - started)
    right = int((classes == data.labels).sum())
    say(f"{right:,} of {count:,} held-out images are told right")
    seconds = []
    for at in range(-_WARM_UP, SINGLES):
        index = at % count
        before = time.perf_counter()
        (alone,) = _classes(client, data.images[index : index + 1])
        if at >= 0:
            seconds.append(time.perf_counter() - before)
        if alone != classes[index]:
            raise DataLoss(
                f"image {index} is {alone} when it is asked about alone and {classes[index]} in a batch",
                reason="ANSWERS_DIFFER",
            )
    p50_s, p99_s = np.percentile(seconds, (50, 99))
    return Answers(count, right, images_per_s, float(p50_s), float(p99_s))


def _classes(client: Client, images: "NDArray[np.uint8]") -> "NDArray[np.int_]":
    """uint8 [n, 28, 28, 1] -> the most probable class of each."""
    response = client.deployments.predict(DEPLOYMENT, {"image": images})
    probabilities: NDArray[np.float32] = np.asarray(rows(response.outputs["probabilities"]), np.float32)
    best: NDArray[np.int_] = probabilities.argmax(axis=1)
    return best
