"""Reaches a row's figure: the set, a training job, an evaluation job; those that are there already are taken up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.bars import byte_bars
from modelyard.cli.watch import watch_job
from modelyard.local.gallery.code import code_digest
from modelyard.local.jobs import failure, found
from modelyard.sdk import Client, gallery
from modelyard.sdk.errors import FailedPrecondition, NotFound
from modelyard.sdk.gallery.rows import SPLIT, Row
from modelyard.sdk.jobs import State
from modelyard.sdk.names import short
from modelyard.templates.specs import get_template

SHORT_MINUTES = 5
"""A row that takes less is worth other seeds."""
_EVALUATE = "evaluate"
_RECENT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reached:
    """What a row came to."""

    figure: float
    date: date
    minutes: float
    """That the attempts of both jobs took."""
    dataset: str
    """The digest of its version."""
    code: str
    """The digest of the template and of what it shares with others."""
    other_seeds: tuple[float, ...] = ()
    """The figures of the seeds 1, 2, … where the row is short."""


class Runner:
    """Runs rows on an installation, one at a time."""

    def __init__(self, client: Client, say: Callable[[str], None]) -> None:
        self._client = client
        self._say = say

    def reach(self, row: Row, seeds: int = 1) -> Reached:
        """The row's figure, and those of so many seeds where one takes less than five minutes.

        Raises ModelyardError: of the set, of a job that failed, or of a metric that is missing.
        """
        with byte_bars(quiet=False) as progress:
            dataset = gallery.find(row.dataset).bring(self._client, progress=progress).version
            learnt_from = (
                gallery.find(row.learnt_from).bring(self._client, progress=progress).version
                if row.learnt_from
                else dataset
            )
        reached = self._reach(row, dataset, learnt_from, seed=0)
        others = range(1, seeds) if reached.minutes < SHORT_MINUTES else ()
        figures = (self._reach(row, dataset, learnt_from, seed=seed).figure for seed in others)
        return replace(reached, other_seeds=tuple(figures))

    def _reach(self, row: Row, dataset: str, learnt_from: str, *, seed: int) -> Reached:
        made = row.model or row.name
        parameters = {**row.parameters, "seed": seed}
        trained = self._done(made, row.template, learnt_from, parameters, model=f"{made}-{row.template}")
        judged = self._done(row.name, _EVALUATE, dataset, {"split": SPLIT}, model_version=trained.model_version)
        return Reached(
            self._figure(row, judged),
            judged.end_time.ToDatetime(UTC).date(),
            self._minutes(trained) + self._minutes(judged),
            judged.spec.dataset_digest,
            trained.labels["code"],
        )

    def _done(
        self,
        row: str,
        template: str,
        dataset: str,
        parameters: Mapping[str, Any],
        *,
        model: str = "",
        model_version: str = "",
    ) -> job_pb2.Job:
        """A job of a row that has succeeded: one of the same code where it is at work, or has been done lately."""
        described = get_template(template)
        labels = {"gallery": row, "code": code_digest(described)}
        completed = described.complete(parameters)

        def fits(job: job_pb2.Job) -> bool:
            spec = job.spec
            same = (spec.template, spec.dataset_version, spec.model_version) == (template, dataset, model_version)
            return same and dict(job.labels) == labels and dict(spec.parameters) == completed

        job = found(self._client, fits, lambda job: _is_recent(job) and self._has_model(job))
        if job is not None and job.state == State.STATE_SUCCEEDED:
            self._say(
                f"{short(job.name)}: {template} was done in the last 24 hours, with the same code on the same data"
            )
            return job
        if job is None:
            job = self._client.jobs.create(
                template, dataset, model=model, model_version=model_version, parameters=parameters, labels=labels
            )
            self._say(f"{short(job.name)}: {template} on {short(dataset)}")
        else:
            self._say(f"{short(job.name)}: {template} is at work already; taken up")
        job = watch_job(self._client, job.name)
        if job.state != State.STATE_SUCCEEDED:
            raise failure(job, "make gallery")
        return job

    def _has_model(self, job: job_pb2.Job) -> bool:
        """Whether the model version that it made or judged has not been deleted meanwhile."""
        try:
            self._client.models.version(job.model_version or job.spec.model_version)
        except NotFound:
            return False
        return True

    def _figure(self, row: Row, judged: job_pb2.Job) -> float:
        evaluations = self._client.models.evaluations(judged.spec.model_version)
        metrics = next(each.metrics for each in evaluations if each.name == judged.evaluation)
        if row.metric not in metrics:
            raise FailedPrecondition(
                f"the evaluation of {row.name} has no metric `{row.metric}`; it has {', '.join(sorted(metrics))}",
                reason="METRIC_MISSING",
            )
        return metrics[row.metric]

    def _minutes(self, job: job_pb2.Job) -> float:
        attempts = self._client.jobs.attempts(job.name)
        lasted = (each.end_time.ToDatetime() - each.create_time.ToDatetime() for each in attempts)
        return sum(each.total_seconds() for each in lasted) / 60


def _is_recent(job: job_pb2.Job) -> bool:
    """All rows take hours, which a midnight may lie between."""
    return datetime.now(UTC) - job.end_time.ToDatetime(UTC) < _RECENT
