"""What a job says is shown within bounds: its process may run anybody's code."""

from typing import cast

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.job.messages import (
    Checkpoint,
    ChildMessage,
    Evaluated,
    Exported,
    Failed,
    Image,
    Metric,
    Predicted,
    Prepared,
    Profiled,
    Progress,
    Stopped,
    Text,
)
from modelyard.job.messages import FailureClass as JobFailure
from modelyard.templates.specs import Kind
from modelyard.trainer.domain import FailureClass
from modelyard.trainer.heard import MAX_IMAGES, MAX_METRICS, MAX_TEXTS, Heard, readable
from modelyard.trainer.messages import to_progress
from modelyard.trainer.reporter import MAX_TEXT_CHARACTERS, Reporter, Reports


class Job:
    """What was heard, and where it shows."""

    def __init__(self, kind: Kind = Kind.TRAINING) -> None:
        self.reporter = Reporter("projects/p/jobs/j/attempts/1", cast("Reports", None))
        self.checkpoints: list[tuple[int, str]] = []
        self.heard = Heard(self.reporter, lambda step, path: self.checkpoints.append((step, path)), kind)

    def say(self, *messages: ChildMessage) -> "Job":
        for message in messages:
            self.heard.take(message)
        return self

    @property
    def lines(self) -> list[str]:
        return [line.text for line in self.reporter._take_lines()]

    @property
    def shown(self) -> job_pb2.Progress:
        """What is sent; raises if it can't be."""
        return to_progress(self.reporter.progress)


def test_texts_and_images_show_in_the_progress_and_texts_in_the_log_too() -> None:
    job = Job().say(
        Text(1, "note", "first"), Text(2, "note", "second"), Image(2, "confusion", "images/confusion/2.png")
    )
    assert dict(job.shown.texts) == {"note": "second"}
    assert dict(job.shown.images) == {"confusion": "images/confusion/2.png"}
    assert job.lines == ["note: first", "note: second"]


def test_prepared_means_that_it_runs_now() -> None:
    job = Job().say(Prepared(10, 100, 32))
    assert job.reporter.running
    assert (job.shown.stage, job.shown.total_steps) == ("training", 100)


def test_what_it_made_and_how_it_ended_is_kept() -> None:
    job = Job().say(Checkpoint(5, "checkpoints/5"), Exported("model", {}), Stopped(7))
    assert job.checkpoints == [(5, "checkpoints/5")]
    assert job.heard.made == Exported("model", {})
    assert job.heard.stopped


def test_only_what_a_job_of_its_kind_makes_counts() -> None:
    made: dict[Kind, ChildMessage] = {
        Kind.TRAINING: Exported("model", {}),
        Kind.EVALUATION: Evaluated({"accuracy": 1.0}, "test", 10),
        Kind.PROFILE: Profiled("outputs/profile/profile.json"),
        Kind.PREDICTION: Predicted("outputs/prediction", 3),
        Kind.IMPORT: Exported("model", {}),
    }
    assert set(made) == set(Kind)
    for kind in Kind:
        job = Job(kind).say(*(message for message in made.values() if message != made[kind]))
        assert job.heard.made is None
        assert job.say(made[kind]).heard.made == made[kind]


@pytest.mark.parametrize(("kind", "stage"), [(Kind.PROFILE, "profiling"), (Kind.PREDICTION, "predicting")])
def test_the_stage_is_called_by_what_the_job_does(kind: Kind, stage: str) -> None:
    assert Job(kind).say(Prepared(10, 100, 32)).shown.stage == stage


@pytest.mark.parametrize("kind", list(JobFailure))
def test_the_worker_has_every_word_of_a_job_for_failures(kind: JobFailure) -> None:
    failed = Job().say(Failed(kind, "why", "where")).heard.failed
    assert failed is not None
    assert failed.failure_class is FailureClass(kind)


def test_names_without_end_are_left_out_and_the_log_says_so_once() -> None:
    job = Job()
    for number in range(1000):
        name = f"n{number}"
        job.say(Metric(1, name, 1.0), Text(1, name, ""), Image(1, name, "images/x.png"))
    assert len(job.shown.metrics) == MAX_METRICS
    assert len(job.shown.texts) == MAX_TEXTS
    assert len(job.shown.images) == MAX_IMAGES
    assert sum("is left out" in line for line in job.lines) == 3


@pytest.mark.parametrize("path", ["/etc/passwd", "../../secret.png", "images/../../x.png"])
def test_an_image_outside_of_the_output_is_not_shown(path: str) -> None:
    assert not Job().say(Image(1, "x", path)).shown.images


def test_half_characters_and_numbers_beyond_all_bounds_can_be_sent_all_the_same() -> None:
    job = Job().say(
        Metric(1 << 62, "bad \ud800 name", 1.0),
        Text(1, "note", "half \ud83d of a face\x1b[31m red\x00" + "x" * 100_000),
        Progress((1 << 63) - 1, (1 << 63) - 1, 1 << 62, 1 << 62, float("inf"), {"loss": float("nan"), "\udfff": 0.0}),
        Failed(JobFailure.USER_CODE, "\ud800", ""),
    )
    assert set(job.shown.metrics) == {"loss"}
    assert len(job.shown.texts["note"]) <= MAX_TEXT_CHARACTERS
    assert "\x1b" not in job.shown.texts["note"]
    for line in job.lines:
        line.encode()
    assert job.heard.failed is not None
    job.heard.failed.message.encode()


def test_readable_keeps_what_people_write() -> None:
    assert (
        readable("größe: 10\u202f007 µs\t→ 日本\u3000語\nمی\u200cخواهم 🙂", 100)
        == "größe: 10\u202f007 µs\t→ 日本\u3000語\nمی\u200cخواهم 🙂"
    )
