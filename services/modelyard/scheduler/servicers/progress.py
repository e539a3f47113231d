"""How far a job is, as a message of the protocol, and back."""

from collections.abc import Iterable
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.scheduler.domain.records import Progress

MAX_METRICS = 256
MAX_NAMES = 64
"""Of texts, and of images."""
MAX_NAME = 256
MAX_TEXT = 4096
MAX_PATH = 1024


def progress(value: Progress) -> job_pb2.Progress:
    return job_pb2.Progress(
        stage=value.stage,
        step=value.step,
        total_steps=value.total_steps,
        epoch=value.epoch,
        epochs=value.epochs,
        examples_per_second=value.examples_per_second,
        metrics=value.metrics,
        done_bytes=value.done_bytes,
        total_bytes=value.total_bytes,
        checkpoint_step=value.checkpoint_step,
        remaining=_duration(value.remaining_s),
        texts=value.texts,
        images=value.images,
    )


def read_progress(message: job_pb2.Progress) -> Progress:
    return Progress(
        stage=_plain(message.stage, 64),
        step=message.step,
        total_steps=message.total_steps,
        epoch=message.epoch,
        epochs=message.epochs,
        examples_per_second=message.examples_per_second,
        metrics={_plain(name, MAX_NAME): message.metrics[name] for name in sorted(message.metrics)[:MAX_METRICS]},
        done_bytes=message.done_bytes,
        total_bytes=message.total_bytes,
        checkpoint_step=message.checkpoint_step,
        remaining_s=message.remaining.ToTimedelta().total_seconds() if message.HasField("remaining") else None,
        texts={_plain(name, MAX_NAME): _plain(message.texts[name], MAX_TEXT) for name in _first(message.texts)},
        images={
            _plain(name, MAX_NAME): message.images[name]
            for name in _first(message.images)
            if _is_inside(message.images[name])
        },
    )


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _first(names: Iterable[str]) -> list[str]:
    return sorted(names)[:MAX_NAMES]


def _plain(text: str, most: int) -> str:
    """At most so many bytes; PostgreSQL has no text with NUL in it."""
    return text.replace("\0", "�").encode()[:most].decode(errors="ignore")


def _is_inside(path: str) -> bool:
    """Whether it can be the path of a file in a tree."""
    segments = path.split("/")
    return len(path) <= MAX_PATH and path.isprintable() and not {"", ".", ".."}.intersection(segments)
