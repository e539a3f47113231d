"""Jobs as people see them, and what jobs say while they run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from modelyard.scheduler.domain.devices import ANY, Ask
from modelyard.scheduler.domain.jobs import Failure, Job, JobState
from modelyard.templates.specs import Kind


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What a job runs; complete and resolved once the job is stored."""

    template: str = ""
    """Either this or `package_version`."""
    dataset_version: str = ""
    dataset_digest: str = ""
    package_version: str = ""
    package_digest: str = ""
    entry: str = ""
    """Of the package: `module:function`, or `module` for a script."""
    model_version: str = ""
    """What an evaluation judges or a prediction asks."""
    model_digest: str = ""
    source_version: str = ""
    """A package version: the files that are imported."""
    source_digest: str = ""
    kind: Kind = Kind.TRAINING
    """Of the template; a package is of kind training."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    model: str = ""
    """Which gets the new version; "" if it makes none."""
    output_dataset: str = ""
    """The same of datasets."""
    ask: Ask = ANY
    priority: int = 0
    max_attempts: int = 3
    max_runtime: timedelta | None = None
    max_queue_duration: timedelta | None = None

    @property
    def inputs(self) -> dict[str, str]:
        """The versions that it uses, by the field that names them."""
        fields = ("dataset_version", "package_version", "model_version", "source_version")
        return {field: getattr(self, field) for field in fields if getattr(self, field)}

    @property
    def evaluates(self) -> str:
        """The model version that it judges; "" if it judges none."""
        return self.model_version if self.kind is Kind.EVALUATION else ""

    def holding(self, digests: Mapping[str, str]) -> "JobSpec":
        """With the digests, by version, of what the catalog holds."""
        return replace(
            self,
            dataset_digest=digests.get(self.dataset_version, ""),
            package_digest=digests.get(self.package_version, ""),
            model_digest=digests.get(self.model_version, ""),
            source_digest=digests.get(self.source_version, ""),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    epoch: int = 0
    epochs: int = 0
    examples_per_second: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    done_bytes: int = 0
    total_bytes: int = 0
    checkpoint_step: int = 0
    remaining_s: float | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    """The newest of each name."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Paths in the job's output `run`, by name."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job's row."""

    name: str
    uid: str
    order: int
    spec: JobSpec
    state: JobState
    creator: str
    create_time: datetime
    update_time: datetime
    revision: int = 1
    display_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    attempt_number: int = 0
    model_version: str = ""
    evaluation: str = ""
    output_dataset_version: str = ""
    failure: Failure | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None

    def fresh(self) -> Job:
        """The job as it enters the queue."""
        spec = self.spec
        return Job(
            self.name,
            self.order,
            self.create_time,
            spec.ask,
            spec.priority,
            spec.max_attempts,
            spec.max_runtime,
            spec.max_queue_duration,
            spec.model,
            spec.evaluates,
            spec.output_dataset,
        )


@dataclass(frozen=True, slots=True)
class LogLine:
    time: datetime
    text: str
    attempt: int = 0
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class MetricValue:
    time: datetime
    step: int
    metric: str
    value: float
    attempt: int = 0
    cursor: int = 0
