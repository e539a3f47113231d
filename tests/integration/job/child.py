"""A worker's side of the job protocol, for tests: prepare a dataset, start a child, talk to it."""

import contextlib
import gzip
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.messages import Checkpoint, Checkpointed, ChildMessage, JobSpec, Stop, WorkerMessage
from modelyard.job.trial import prepare_dataset
from modelyard.job.wire import decode_child, encode
from modelyard.templates.specs import SHIPPED
from tests.support import warm

Images = NDArray[np.uint8]


def idx_bytes(values: Images) -> bytes:
    """An IDX file of uint8."""
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def strokes(count: int, seed: int = 0) -> tuple[Images, Images]:
    """Pictures that a small network learns in an epoch: class k has a bright bar in row band k of four."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, count).astype(np.uint8)
    images = random.integers(0, 60, (count, 28, 28)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[label * 7 : label * 7 + 4] += 150
    return images, labels


def prepare(folder: Path, files: Mapping[str, bytes], description: Mapping[str, Any]) -> None:
    """A prepared dataset as a worker leaves it: packs and index."""
    prepare_dataset(folder, {**files, "modelyard.dataset.json": json.dumps(description).encode()})


def idx_description(train: int, test: int, classes: int, shape: tuple[int, int, int] = (28, 28, 1)) -> dict[str, Any]:
    """The description of an MNIST-like set."""
    return {
        "format": 1,
        "layout": "idx",
        "modality": "image",
        "features": {
            "image": {"dtype": "uint8", "shape": list(shape), "encoding": "raw"},
            "label": {"dtype": "int64", "classes": [str(n) for n in range(classes)]},
        },
        "splits": {
            "train": {"examples": train, "images": "train-images", "labels": "train-labels.gz"},
            "test": {"examples": test, "images": "test-images", "labels": "test-labels"},
        },
    }


def prepare_idx(folder: Path, train: tuple[Images, Images], test: tuple[Images, Images], classes: int) -> None:
    """Images and labels as IDX files, one of them gzipped."""
    files = {
        "train-images": idx_bytes(train[0]),
        "train-labels.gz": gzip.compress(idx_bytes(train[1])),
        "test-images": idx_bytes(test[0]),
        "test-labels": idx_bytes(test[1]),
    }
    prepare(folder, files, idx_description(len(train[0]), len(test[0]), classes))


def code(folder: Path, text: str) -> str:
    """A user's package of one file."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "train.py").write_text(text)
    return str(folder / "code")


def only(heard: list[ChildMessage], kind: type[Any]) -> list[Any]:
    return [message for message in heard if isinstance(message, kind)]


def variables(folder: Path) -> list[Any]:
    with np.load(folder / "variables.npz") as arrays:
        return [arrays[name] for name in arrays.files]


class Child:
    """A job's process, seen from the worker. It is killed when the block ends."""

    def __init__(self, folder: Path, *, imported: bool = True, **spec: Any) -> None:
        """Defaults: the shipped template on `folder/inputs/dataset`. It does not import TensorFlow itself, unless it is
        not `imported`."""
        self.socket, theirs = socket.socketpair()
        self._lines = self.socket.makefile("rb")
        values = {
            "job": "projects/p/jobs/j",
            "attempt": 1,
            "code": str(SHIPPED / "image-classification"),
            "entry": "train:main",
            "fd": warm.FIRST_FD if imported else theirs.fileno(),
        }
        (folder / "scratch").mkdir(parents=True, exist_ok=True)
        self._job = folder / "job.json"
        self._job.write_text(JobSpec(**{**values, **spec}).to_json())
        self.log = folder / "log"
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(folder / "scratch")}
        with theirs:
            self.process = self._forked(theirs.fileno()) if imported else self._begun(theirs.fileno())

    def _forked(self, fd: int) -> "warm.Process":
        arguments = ("modelyard.job", str(self._job))
        return warm.start(*arguments, log=self.log, environment=self._environment, inherited=[fd])

    def _begun(self, fd: int) -> "subprocess.Popen[bytes]":
        with self.log.open("w") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "modelyard.job", str(self._job)],
                env=self._environment,
                pass_fds=(fd,),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._lines.close()
        self.socket.close()

    def say(self, message: WorkerMessage) -> None:
        """Tell the child something."""
        with contextlib.suppress(BrokenPipeError):
            self.socket.sendall(encode(message))

    def messages(self) -> Iterator[ChildMessage]:
        """Until the child closes its end; every checkpoint is published at once."""
        while line := self._line():
            message = decode_child(line)
            if isinstance(message, Checkpoint):
                self.say(Checkpointed(message.step))
            yield message

    def _line(self) -> bytes:
        try:
            return self._lines.readline()
        except ConnectionResetError:
            # The child has ended with something of ours unread.
            return b""

    def finish(self, stop_when: Callable[[ChildMessage], bool] = lambda _: False) -> tuple[int, list[ChildMessage]]:
        """Run to the end, saying stop once a message asks for it; exit status and all messages."""
        heard = []
        for message in self.messages():
            heard.append(message)
            if stop_when(message):
                self.say(Stop())
        return self.process.wait(), heard
