"""What the use cases need of the world."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from modelyard.foundation.auth.identity import Identity
from modelyard.scheduler.domain.decisions import Decision
from modelyard.scheduler.domain.jobs import Attempt, JobState
from modelyard.scheduler.domain.records import JobRecord, JobSpec, LogLine, MetricValue, Progress
from modelyard.scheduler.domain.state import Rules, State
from modelyard.templates.fitting import Input
from modelyard.templates.needs import DataSeen

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Audit:
    """Who did what; stored in the same transaction as what was done."""

    subject: str
    token_id: str
    action: str
    resource: str
    request_id: str = ""

    @staticmethod
    def of(caller: Identity, action: str, resource: str, request_id: str = "") -> "Audit":
        return Audit(caller.subject, caller.token_id, action, resource, request_id)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job's inputs are held: it enters the queue with its spec resolved."""

    job: str
    spec: JobSpec


@dataclass(frozen=True, slots=True)
class ProgressSaved:
    job: str
    progress: Progress


Record = Audit | Admitted | ProgressSaved


@dataclass(frozen=True, slots=True)
class Written(Generic[T]):
    """What a transaction stores, and what it answers once that is durable."""

    answer: T
    decisions: Sequence[Decision] = ()
    records: Sequence[Record] = ()


class TakenOver(Exception):
    """Another scheduler has opened the database: this one must stop."""


class Journal(Protocol):
    """The durable side of scheduling. One process writes at a time: a newer one takes over for good."""

    async def take_over(self) -> None:
        """From here on no older process can write."""

    async def load(self, rules: Rules) -> State:
        """The state as it is stored."""

    async def now(self) -> datetime:
        """The database's clock."""

    async def commit(self, work: Callable[[datetime], Written[T]]) -> T:
        """Stores what `work(now)` says, all of it or nothing. `work` may be called again: it must be pure.

        Raises TakenOver.
        """


@dataclass(frozen=True, slots=True)
class RequestKey:
    request_id: str
    caller: str
    method: str
    body: bytes = field(repr=False)
    """The request in a canonical form: the same ID with another body is refused."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that is about to be created."""

    name: str
    uid: str
    spec: JobSpec
    creator: str
    display_name: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """A job whose row is there, but whose inputs are perhaps not held yet."""

    record: JobRecord
    admitted: bool


@dataclass(frozen=True, slots=True)
class EndedExecution:
    """The catalog must hear of it."""

    id: int
    job: str
    attempt: int
    outcome: JobState
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class DeletedJob:
    """The catalog must hear of it: what the job has stored there goes."""

    id: int
    job: str


class Jobs(Protocol):
    """The rows of jobs."""

    async def open(self, draft: Draft, key: RequestKey, audit: Audit) -> Opened:
        """Claims the name; a request that was done before gets the job that it made. JobExists otherwise."""

    async def find_request(self, key: RequestKey) -> JobRecord | None: ...

    async def discard(self, name: str, *, burn: bool) -> None:
        """Undoes `open`. `burn`: the name is known to the catalog and is never used again."""

    async def unadmitted(self, age: timedelta) -> Sequence[JobRecord]:
        """Those that were opened at least `age` ago and have not entered the queue."""

    async def get(self, name: str) -> JobRecord | None: ...

    async def page(
        self, project: str, states: Collection[JobState], before: int | None, limit: int, *, profiles: bool = False
    ) -> Sequence[JobRecord]:
        """Newest first; jobs of kind PROFILE only if they are asked for."""

    async def attempts(self, job: str, before: int | None, limit: int) -> Sequence[tuple[Attempt, int]]:
        """Newest first; each with the step that it started from."""

    async def attempt(self, job: str, number: int) -> tuple[Attempt, int] | None: ...

    async def delete(self, name: str, audit: Audit) -> bool:
        """False if it has not ended. Its name stays taken, and the catalog has something to hear."""

    async def untold(self, limit: int) -> Sequence[EndedExecution | DeletedJob]:
        """What the catalog has not heard of, ends first: files go only after the end."""

    async def told(self, id: int) -> None:
        """The catalog has heard of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of what is kept for a job; the oldest goes first."""

    log_lines: int = 10_000
    log_bytes: int = 1024 * 1024
    line_characters: int = 4096
    metric_points: int = 100_000


class Telemetry(Protocol):
    """The rows of logs and metrics."""

    async def append(
        self,
        attempt: Attempt,
        sequence: int,
        start_step: int,
        logs: Sequence[LogLine],
        metrics: Sequence[MetricValue],
        progress: Progress | None,
    ) -> bool:
        """False, and nothing stored, if a report with this or a later sequence was stored before."""

    async def logs(self, job: str, after: int, limit: int) -> Sequence[LogLine]: ...

    async def metrics(self, job: str, after: int, limit: int) -> Sequence[MetricValue]: ...

    async def save_progress(self, progress: Sequence[ProgressSaved]) -> None: ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a template must know of a dataset version; `version` is resolved."""

    version: str
    data: DataSeen


@dataclass(frozen=True, slots=True)
class Unprofiled:
    """A dataset version that no job profiles."""

    version: str
    uid: str
    """Never given to another one, also when the name is."""


@dataclass(frozen=True, slots=True)
class Package:
    """What a job must know of a package version; `version` is resolved."""

    version: str
    template_toml: str
    """The text of its template.toml; "" if it has none."""
    modules: tuple[str, ...]
    """At its root."""


@dataclass(frozen=True, slots=True)
class Model:
    """What an evaluation or a prediction must know of a model version; `version` is resolved."""

    version: str
    state: str
    """`READY` if it may be used."""
    signatures: Mapping[str, tuple[Input, ...]] = field(default_factory=dict)
    """What it can be asked; {} where that is not known."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """What its inputs are, by their names: `image`, `text`, `user`; {} where that is not known."""


class Unsettled(Exception):
    """Whether the catalog did it is not known: it could not be reached, or did not answer in time."""


class Catalog(Protocol):
    """The neighbour that holds data and executions. Its refusals are passed on."""

    async def dataset(self, version: str) -> Dataset: ...

    async def dataset_version(self, version: str) -> str:
        """Its name, resolved; whether it describes itself or not."""

    async def package(self, version: str) -> Package: ...

    async def model(self, version: str) -> Model: ...

    async def begin(self, job: str, inputs: Sequence[str], output_dataset: str, *, weak: bool) -> Mapping[str, str]:
        """Holds the inputs of attempt 0, which are named by number; answers their digests. `output_dataset` may get a
        version, "" is none; `weak`: the inputs may be deleted all the same. Raises Unsettled."""

    async def end(self, job: str, attempt: int, outcome: JobState, message: str = "") -> bool:
        """False if the catalog knows no such execution. Raises Unsettled."""

    async def unprofiled(self, limit: int) -> Sequence[Unprofiled]:
        """Dataset versions of all projects that no job profiles, oldest first."""

    async def set_profile_job(self, version: str, job: str) -> None:
        """This job profiles it."""

    async def delete_files(self, job: str) -> None:
        """The checkpoints and outputs of a job that has ended. Raises Unsettled."""


@dataclass(frozen=True, slots=True)
class AttemptToken:
    token: str
    expire_time: datetime


class Tokens(Protocol):
    def sign(self, attempt: str) -> AttemptToken:
        """A token that speaks for an attempt, and for nothing else."""
