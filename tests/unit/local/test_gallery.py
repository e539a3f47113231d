"""Which jobs `make gallery` takes up and what it says of their figures; the installation is stood in for here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.local.gallery.__main__ import show_outcomes
from modelyard.local.gallery.code import code_digest
from modelyard.local.gallery.publishing import publish
from modelyard.local.gallery.running import Reached, Runner
from modelyard.sdk.errors import FailedPrecondition, NotFound
from modelyard.sdk.gallery.rows import Published, Row, read_published, read_rows
from modelyard.sdk.jobs import ENDED, State
from modelyard.templates.specs import get_template

DATASET = "projects/p/datasets/mnist/versions/1"
MODEL = "projects/p/models/mnist-image-classification/versions/1"
ROW = replace(read_rows()["mnist"], published=None)


@dataclass
class Installation:
    """Keeps jobs, and does each of them the moment it is looked at."""

    kept: list[job_pb2.Job] = field(default_factory=list)
    lost: bool = False
    metrics: Mapping[str, float] = field(default_factory=lambda: {"accuracy": 0.99})
    ends: State.ValueType = State.STATE_SUCCEEDED
    attempt_seconds: int = 30

    @property
    def jobs(self) -> "Installation":
        return self

    @property
    def models(self) -> "Installation":
        return self

    def list(self) -> Iterator[job_pb2.Job]:
        yield from reversed(self.kept)

    def create(self, template: str, dataset: str, **other: Any) -> job_pb2.Job:
        job = job_pb2.Job(name=f"projects/p/jobs/{len(self.kept)}", labels=other["labels"], state=State.STATE_QUEUED)
        job.spec.template, job.spec.dataset_version, job.spec.dataset_digest = template, dataset, "sha256:d"
        job.spec.model_version = other["model_version"]
        job.spec.parameters.update(get_template(template).complete(other["parameters"]))
        self.kept.append(job)
        return job

    def watch(self, name: str) -> Iterator[job_pb2.Job]:
        job = next(each for each in self.kept if each.name == name)
        if job.state not in ENDED:
            job.state = self.ends
            job.end_time.FromDatetime(datetime.now(UTC))
            if job.spec.model_version:
                job.evaluation = f"{MODEL}/evaluations/{name.rpartition('/')[2]}"
            else:
                made = sum(1 for each in self.kept if each.model_version)
                job.model_version = MODEL.replace("versions/1", f"versions/{made + 1}")
        yield job

    def get(self, name: str) -> job_pb2.Job:
        return next(each for each in self.kept if each.name == name)

    def attempts(self, name: str) -> Iterator[job_pb2.Attempt]:
        attempt = job_pb2.Attempt()
        attempt.end_time.FromDatetime(attempt.create_time.ToDatetime() + timedelta(seconds=self.attempt_seconds))
        yield from [attempt, attempt]

    def version(self, name: str) -> model_pb2.ModelVersion:
        if self.lost:
            raise NotFound(f"there is no {name}", reason="NOT_THERE")
        return model_pb2.ModelVersion(name=name)

    def evaluations(self, version: str) -> Iterator[model_pb2.Evaluation]:
        for job in self.kept:
            if job.evaluation:
                yield model_pb2.Evaluation(name=job.evaluation, metrics=self.metrics)


@pytest.fixture(autouse=True)
def a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = SimpleNamespace(bring=lambda client, progress: SimpleNamespace(version=DATASET))
    monkeypatch.setattr("modelyard.sdk.gallery.find", lambda name: brought)


def reach(there: Installation, row: Row = ROW, seeds: int = 1) -> Reached:
    return Runner(there, lambda line: None).reach(row, seeds)  # type: ignore[arg-type]


def test_a_row_is_trained_and_judged_on_the_test_split() -> None:
    there = Installation()
    reached = reach(there)
    trained, judged = there.kept
    assert trained.spec.template == "image-classification"
    assert {"epochs": 3, "seed": 0}.items() <= dict(trained.spec.parameters).items()
    assert (judged.spec.template, judged.spec.model_version) == ("evaluate", MODEL)
    assert judged.spec.parameters["split"] == "test"
    assert reached == Reached(
        0.99,
        datetime.now(UTC).date(),
        2.0,
        "sha256:d",
        code_digest(get_template("image-classification")),
    )


def test_a_row_that_was_done_in_the_last_24_hours_is_not_done_again() -> None:
    there = Installation()
    reach(there)
    for job in there.kept:
        job.end_time.FromDatetime(datetime.now(UTC) - timedelta(hours=23, minutes=59))
    first = reach(there)
    assert reach(there) == first
    assert len(there.kept) == 2


def test_a_short_row_is_run_with_as_many_seeds_as_are_wanted() -> None:
    there = Installation()
    assert reach(there, seeds=3).other_seeds == (0.99, 0.99)
    trained = [job.spec.parameters["seed"] for job in there.kept if job.spec.template != "evaluate"]
    assert trained == [0, 1, 2]
    assert reach(there, seeds=3).other_seeds == (0.99, 0.99)
    assert len(there.kept) == 6


def test_a_row_of_five_minutes_is_run_with_one_seed() -> None:
    there = Installation(attempt_seconds=150)
    assert reach(there, seeds=3).other_seeds == ()
    assert len(there.kept) == 2


@pytest.mark.parametrize("state", [State.STATE_QUEUED, State.STATE_RUNNING])
def test_a_killed_run_goes_on_with_the_job_that_is_at_work(state: State.ValueType) -> None:
    there = Installation()
    reach(there)
    del there.kept[1]
    there.kept[0].state = state
    assert reach(there).figure == 0.99
    assert [job.spec.template for job in there.kept] == ["image-classification", "evaluate"]


def a_day_ago(job: job_pb2.Job) -> None:
    job.end_time.FromDatetime(datetime.now(UTC) - timedelta(days=1))


def with_other_code(job: job_pb2.Job) -> None:
    job.labels["code"] = "0" * 64


def with_other_data(job: job_pb2.Job) -> None:
    job.spec.dataset_version = DATASET.replace("versions/1", "versions/2")


def with_other_parameters(job: job_pb2.Job) -> None:
    job.spec.parameters["epochs"] = 4


def with_a_parameter_that_the_row_no_longer_has(job: job_pb2.Job) -> None:
    job.spec.parameters["batch_size"] = 16


def of_somebody_else(job: job_pb2.Job) -> None:
    job.labels.clear()


def called_off(job: job_pb2.Job) -> None:
    job.state = State.STATE_CANCELLED


@pytest.mark.parametrize(
    "change",
    [
        a_day_ago,
        with_other_code,
        with_other_data,
        with_other_parameters,
        with_a_parameter_that_the_row_no_longer_has,
        of_somebody_else,
        called_off,
    ],
)
def test_a_job_that_is_not_the_same_is_not_taken_up(change: Any) -> None:
    there = Installation()
    reach(there)
    change(there.kept[0])
    reach(there)
    assert [job.spec.template for job in there.kept][2] == "image-classification"


def test_a_model_that_was_deleted_is_trained_again() -> None:
    there = Installation()
    reach(there)
    there.lost = True
    reach(there)
    assert len(there.kept) == 4


def test_a_job_that_fails_says_why() -> None:
    there = Installation(ends=State.STATE_CANCELLED)
    with pytest.raises(FailedPrecondition, match="0 is cancelled; run `make gallery` again"):
        reach(there)


def test_a_metric_that_was_not_measured_is_named_beside_those_that_were() -> None:
    with pytest.raises(FailedPrecondition, match="has no metric `accuracy`; it has mae, rmse") as missing:
        reach(Installation(metrics={"rmse": 1.0, "mae": 1.0}))
    assert missing.value.reason == "METRIC_MISSING"


def test_what_is_published_ships_with_the_rest_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "published.toml"
    file.touch()
    reached = Reached(0.99123456, date(2026, 11, 25), 2.345, "sha256:d", "c")
    publish("adult", reached, file)
    publish("mnist", replace(reached, figure=0.5), file)
    publish("mnist", replace(reached, figure=0.6), file)
    found = read_published(file)
    assert list(found) == ["mnist", "adult"]
    assert (found["adult"].figure, found["adult"].date, found["adult"].minutes) == (0.9912, date(2026, 11, 25), 2.3)
    assert found["mnist"].figure == 0.6
    assert not found["mnist"].other_seeds
    publish("mnist", replace(reached, other_seeds=(0.98765, 0.99)), file)
    assert read_published(file)["mnist"].other_seeds == [0.9877, 0.99]
    assert [path.name for path in tmp_path.iterdir()] == ["published.toml"]


def test_what_has_drifted_or_failed_is_said_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    good = Reached(0.99, date(2026, 11, 25), 1, "", "")
    assert not show_outcomes([(ROW, good)], published=False)
    assert "reaches its aim" in capsys.readouterr().out
    error = FailedPrecondition("npm is missing", reason="CLIENT_MISSING")
    assert show_outcomes([(ROW, replace(good, figure=0.97)), (ROW, error)], published=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["mnist drifted: accuracy 0.9700, misses its aim (≥ 0.9850)", "mnist failed: npm is missing"]


def test_a_figure_that_was_just_published_has_not_drifted_unless_it_is_no_better_than_the_floor() -> None:
    reached = Reached(0.97, date(2026, 11, 25), 1, "", "")
    assert not show_outcomes([(ROW, reached)], published=True)
    assert show_outcomes([(ROW, replace(reached, figure=0.1))], published=True)


PUBLISHED = replace(ROW, published=Published(0.99, date(2026, 11, 25), 1.0, 2, "sha256:d", "c"))


def test_a_figure_on_other_data_than_the_published_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    same = Reached(0.99, date(2026, 11, 26), 1, "sha256:d", "c")
    assert not show_outcomes([(PUBLISHED, same)], published=False)
    other = replace(same, dataset="sha256:e")
    assert show_outcomes([(PUBLISHED, other)], published=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "mnist drifted: mnist is other data than the published figure's"
    assert not show_outcomes([(PUBLISHED, other)], published=True)


def test_a_seed_that_falls_behind_has_drifted_though_seed_0_is_as_published(capsys: pytest.CaptureFixture[str]) -> None:
    reached = Reached(0.99, date(2026, 11, 26), 1, "sha256:d", "c")
    assert not show_outcomes([(PUBLISHED, replace(reached, other_seeds=(0.991, 0.999)))], published=False)
    assert show_outcomes([(PUBLISHED, replace(reached, other_seeds=(0.991, 0.1)))], published=True)
    capsys.readouterr()
    assert show_outcomes([(PUBLISHED, replace(reached, other_seeds=(0.991, 0.98)))], published=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "mnist drifted with seed 2: accuracy 0.9800, worse than published (0.9900 ± 0.0030)"
