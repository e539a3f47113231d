"""What the use cases need from the world.

`Catalog.run` runs a function of one transaction; the function only uses what the transaction offers, so that it can be
run again. The object store's port is `foundation.objectstore.store.ObjectStore`.
"""

from collections.abc import Callable, Sequence
from collections.abc import Collection as Items
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from modelyard.catalog.domain.artifacts import Artifact, Project, Tree, Version
from modelyard.catalog.domain.evaluations import Evaluation
from modelyard.catalog.domain.executions import Checkpoint, Execution, ExecutionState, Output, Ref
from modelyard.catalog.domain.names import ArtifactName, CheckpointName, Collection, JobName, OutputName
from modelyard.catalog.domain.statistics import Profiling, Statistics
from modelyard.catalog.domain.tokens import Token
from modelyard.catalog.domain.uploads import Upload

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Names a request that may be sent twice: who, which method, the client's ID, and what it said."""

    request_id: str
    """Empty: the client gave none, so the request is simply done."""
    caller: str
    method: str
    body: bytes
    """The request in a canonical form."""


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, when."""

    time: datetime
    subject: str
    token_id: str
    action: str
    resource: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class StoredPack:
    """A pack as the store knows it."""

    id: str
    project_uid: str
    size: int
    multipart_id: str


@dataclass(frozen=True, slots=True)
class DatasetFilter:
    """A dataset version, by its name, or by its uid where it exists: a name may have been another version's before."""

    name: str
    uid: str = ""


class Projects(Protocol):
    def get(self, project: str, *, lock: bool = False) -> Project | None:
        """With a lock it stays until this transaction ends."""

    def lock(self, project: Project) -> None:
        """Nobody begins to put something into it until this transaction ends."""

    def page(self, after: str, limit: int, only: Items[str] | None) -> list[Project]:
        """By name; of `only` these, or of all."""

    def insert(self, project: Project) -> None:
        """NameTaken when there is one of that name."""

    def delete(self, project: Project) -> None: ...
    def contents(self, project: Project) -> list[str]:
        """Names of some things that are still in it."""

    def count(self) -> int: ...


class Artifacts(Protocol):
    def get(self, name: ArtifactName, *, lock: bool = False) -> Artifact | None: ...
    def page(self, project_uid: str, collection: Collection, after: str, limit: int) -> list[Artifact]: ...
    def insert(self, artifact: Artifact) -> None:
        """NameTaken when there is one of that name. Its last_number is that of the one before it, if there was one."""

    def update(self, artifact: Artifact) -> None:
        """Writes profile, etag, update_time, last_number and kind."""

    def delete(self, artifact: Artifact) -> None:
        """With its versions, their evaluations and statistics, and its aliases; its last_number stays."""

    def set_alias(self, artifact: Artifact, alias: str, number: int) -> None: ...
    def delete_alias(self, artifact: Artifact, alias: str) -> None: ...


class Versions(Protocol):
    def get(self, artifact: Artifact, number: int, *, lock: bool = False) -> Version | None:
        """With a lock it stays until this transaction ends."""

    def by_job(self, artifact: Artifact, job: JobName) -> Version | None: ...
    def by_digest(self, artifact: Artifact, digest: str) -> Version | None:
        """The newest with these files."""

    def page(self, artifact: Artifact, before: int | None, limit: int) -> list[Version]:
        """Newest first."""

    def insert(self, artifact: Artifact, version: Version, job: JobName | None) -> None: ...
    def delete(self, version: Version) -> None:
        """With its evaluations or statistics."""

    def lock(self, artifact: Artifact) -> None:
        """Nobody begins to use a version of it until this transaction ends."""

    def holders(self, artifact: Artifact, number: int | None) -> list[str]:
        """Consumers of open executions that use this version, or any of the artifact's; weak ones hold nothing."""


class Trees(Protocol):
    def get(self, uid: str, *, lock: bool = False) -> Tree | None:
        """None when it is gone or about to go. With a lock it stays until this transaction ends."""

    def find(self, project_uid: str, manifest_sha256: str) -> Tree | None:
        """CollectionBusy while garbage collection takes it away."""

    def insert(self, tree: Tree, packs: Items[str]) -> None: ...
    def packs(self, tree: Tree) -> list[StoredPack]: ...


class Uploads(Protocol):
    def get(self, project: str, upload: str, *, lock: bool = False) -> Upload | None: ...
    def insert(self, upload: Upload) -> None: ...
    def begin_pack(self, upload: Upload, number: int, multipart_id: str) -> bool:
        """Keeps the multipart upload of a pack; False when it has one already."""

    def committing(self, limit: int) -> list[Upload]:
        """Oldest first."""

    def commit(self, upload: Upload) -> None:
        """OPEN to COMMITTING, with the upload's info."""

    def close(self, upload: Upload) -> None:
        """Writes state, version, unchanged and error."""

    def use_tree(self, upload: Upload, tree: Tree) -> None:
        """Keeps the tree from garbage collection while the upload is under way."""

    def progress(self, upload: Upload, verified_bytes: int) -> None: ...
    def expire(self, now: datetime) -> list[str]:
        """OPEN to EXPIRED where the time is over; returns the names."""


class Checkpoints(Protocol):
    def get(self, project_uid: str, name: CheckpointName) -> Checkpoint | None: ...
    def page(self, project_uid: str, job: JobName, before: int | None, limit: int) -> list[Checkpoint]:
        """Newest (highest step) first."""

    def put(self, project_uid: str, checkpoint: Checkpoint) -> None:
        """Replaces one of the same step."""

    def prune(self, project_uid: str, job: JobName, keep: int) -> None: ...
    def delete(self, project_uid: str, job: JobName) -> int:
        """All of the job; how many there were."""


class Outputs(Protocol):
    def get(self, project_uid: str, name: OutputName) -> Output | None: ...
    def page(self, project_uid: str, job: JobName, after: str, limit: int) -> list[Output]:
        """By name."""

    def put(self, project_uid: str, output: Output) -> None:
        """Replaces the one of its name."""

    def delete(self, project_uid: str, job: JobName) -> int:
        """All of the job; how many there were."""


class Evaluations(Protocol):
    def get(self, model: Version, job: JobName) -> Evaluation | None: ...
    def page(self, model: Version, only: DatasetFilter | None, before: int | None, limit: int) -> list[Evaluation]:
        """Newest first, from below the sequence `before`."""

    def insert(self, model: Version, evaluation: Evaluation) -> None: ...


class Profiles(Protocol):
    """The profile of each dataset version."""

    def get(self, version: Version) -> Profiling: ...
    def expect(self, version: Version) -> None:
        """The version is new, and no job profiles it yet."""

    def set_job(self, version: Version, job: JobName) -> None: ...
    def record(self, version: Version, statistics: Statistics) -> None:
        """Replaces what was found before."""

    def dataset_of(self, report: OutputName) -> ArtifactName | None:
        """The dataset of which a version has statistics with this report."""

    def unprofiled(self, after: int, limit: int) -> list[tuple[int, Version]]:
        """Those of all projects that no job profiles, oldest first, each with its place, from behind the place
        `after`."""


class Executions(Protocol):
    def newest(self, project_uid: str, consumer: str, *, lock: bool = False) -> Execution | None:
        """The consumer's last execution, open or not."""

    def insert(self, project_uid: str, execution: Execution) -> None: ...
    def begin_attempt(self, execution: Execution, attempt: int) -> None: ...
    def replace_inputs(self, execution: Execution, requested: Sequence[str], inputs: Sequence[Ref]) -> None: ...
    def add_output(self, execution: Execution, output: Ref) -> None:
        """Once, however often it is called."""

    def end(self, execution: Execution, attempt: int, state: ExecutionState, message: str, time: datetime) -> None: ...
    def version_uids(self, project_uid: str, name: str) -> list[str]:
        """Of all versions that ever had this name and were used or made by an execution."""

    def touching(self, project_uid: str, version_uids: Items[str]) -> list[Execution]:
        """Those that used or made one of these."""


class Tokens(Protocol):
    def get(self, token: str) -> Token | None: ...
    def page(self, before: tuple[datetime, str] | None, limit: int) -> list[Token]:
        """Newest first."""

    def insert(self, token: Token) -> None: ...
    def revoke(self, token: Token) -> None:
        """Also one that this catalog has not made."""

    def revoked_since(self, cursor: int, now: datetime, limit: int) -> tuple[list[Token], int]:
        """Those that have not expired by themselves, and the cursor behind the last one looked at."""


class Garbage(Protocol):
    """What nothing needs any more."""

    def mark(self, now: datetime) -> None:
        """Notes since when a tree is unused, and forgets it for one that is used again."""

    def condemn(self, before: datetime, limit: int) -> list[Tree]:
        """Trees unused since before then, from now on out of reach; those condemned earlier among them."""

    def forget_tree(self, tree: Tree) -> None: ...
    def packs(self, limit: int) -> list[StoredPack]:
        """Packs of ended uploads that lie in no tree."""

    def forget_packs(self, packs: Items[str]) -> None: ...
    def forget_requests(self, before: datetime) -> None: ...


class Transaction(Protocol):
    @property
    def projects(self) -> Projects: ...
    @property
    def artifacts(self) -> Artifacts: ...
    @property
    def versions(self) -> Versions: ...
    @property
    def trees(self) -> Trees: ...
    @property
    def uploads(self) -> Uploads: ...
    @property
    def checkpoints(self) -> Checkpoints: ...
    @property
    def outputs(self) -> Outputs: ...
    @property
    def evaluations(self) -> Evaluations: ...
    @property
    def profiles(self) -> Profiles: ...
    @property
    def executions(self) -> Executions: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def garbage(self) -> Garbage: ...
    def audit(self, row: AuditRow) -> None: ...
    def once(self, key: RequestKey, now: datetime, work: Callable[[], str]) -> str:
        """What `work` returned when this request was done first, or `work()` now."""


class Catalog(Protocol):
    async def run(self, work: Callable[[Transaction], T]) -> T:
        """All of `work` or nothing of it."""

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """`work` only reads."""


class Minter(Protocol):
    def mint(self, token: Token) -> str:
        """The secret of a token: the same bytes each time."""
