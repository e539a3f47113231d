"""Evaluations: how a model version did on a dataset version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from modelyard.catalog.domain.model_info import validate_metrics
from modelyard.catalog.domain.names import JobName, VersionName
from modelyard.foundation.errors import InvalidArgument

MAX_SPLIT = 63
MAX_EXAMPLES = 1 << 53


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out of an evaluation."""

    split: str
    example_count: int
    metrics: Mapping[str, float]
    report: str = ""
    """The name of the job's output that has the whole report."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    model: VersionName
    """Resolved."""
    job: JobName
    dataset: str
    """The dataset version's name; it stays when the version is gone."""
    dataset_digest: str
    dataset_uid: str
    measured: Measured
    creator: str
    create_time: datetime
    sequence: int = 0
    """Counts up with every evaluation that is stored."""

    @property
    def name(self) -> str:
        return f"{self.model}/evaluations/{self.job.id}"


def validate_measured(measured: Measured, at: str) -> Measured:
    if not 1 <= len(measured.split) <= MAX_SPLIT or not measured.split.isprintable():
        raise InvalidArgument(
            f"{at}.split has 1 to {MAX_SPLIT} letters; got {measured.split[:80]!a}", field=f"{at}.split"
        )
    if not 1 <= measured.example_count <= MAX_EXAMPLES:
        raise InvalidArgument(
            f"{at}.example_count is {measured.example_count}; it is 1 or more", field=f"{at}.example_count"
        )
    if not measured.metrics:
        raise InvalidArgument(f"{at}.metrics is empty; say what came out", field=f"{at}.metrics")
    validate_metrics(measured.metrics, f"{at}.metrics")
    return measured
