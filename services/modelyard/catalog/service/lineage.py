"""Executions: who uses which versions, and what came from what."""

from dataclasses import replace

from modelyard.catalog.domain.errors import ExecutionEnded, ExecutionOpen, not_found
from modelyard.catalog.domain.executions import (
    Checkpoint,
    Execution,
    ExecutionState,
    Output,
    Ref,
    check_attempt,
    ended,
    validate_inputs,
)
from modelyard.catalog.domain.names import (
    LATEST,
    ArtifactName,
    Collection,
    JobName,
    VersionName,
    check_same_project,
    parse_consumer,
    parse_version,
)
from modelyard.catalog.service.access import attempt_from
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.existing import existing_project, existing_version
from modelyard.catalog.service.ports import Catalog, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument, PermissionDenied
from modelyard.foundation.ids import new_uid, project_of

DEFAULT_DEPTH = 5
MAX_DEPTH = 20
MAX_EXECUTIONS = 1000
MAX_MESSAGE = 2000
"""Characters that are kept of why an execution ended badly."""


class LineageService:
    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def begin(
        self,
        caller: Identity,
        project: str,
        consumer: str,
        attempt: int,
        inputs: list[str],
        output_dataset: str = "",
        *,
        weak: bool = False,
    ) -> Execution:
        names = self._checked(caller, project, consumer, attempt, inputs)
        if output_dataset:
            _check_output(project, consumer, output_dataset)

        def work(tx: Transaction) -> Execution:
            owner = existing_project(tx, project, lock=True)
            current = tx.executions.newest(owner.uid, consumer, lock=True)
            of_job = "/jobs/" in consumer
            if current is None or (current.state is not ExecutionState.OPEN and not of_job and attempt == 0):
                fresh = self._fresh(tx, caller, consumer, attempt, names)
                tx.executions.insert(owner.uid, replace(fresh, output_dataset=output_dataset, weak=weak))
                return _current(tx, owner.uid, consumer)
            check_attempt(current, attempt)
            if current.state is not ExecutionState.OPEN:
                raise ended(current)
            if attempt > current.attempt:
                if of_job and attempt_from(caller, project) is None:
                    raise PermissionDenied(f"attempt {attempt} of {consumer} begins itself, with its own token")
                tx.executions.begin_attempt(current, attempt)
                tx.audit(audit_row(caller, "BeginExecution", f"{consumer}/attempts/{attempt}", self._clock.now()))
            if output_dataset and output_dataset != current.output_dataset:
                raise InvalidArgument(
                    f"what {consumer} makes was fixed with attempt 0; leave it out", field="output_dataset"
                )
            if names and tuple(inputs) != current.requested:
                if of_job:
                    raise InvalidArgument(
                        f"the inputs of {consumer} were fixed with attempt 0; leave them out", field="inputs"
                    )
                tx.executions.replace_inputs(current, inputs, _resolved(tx, names))
            return _current(tx, owner.uid, consumer)

        return await self._catalog.run(work)

    async def end(
        self,
        caller: Identity,
        project: str,
        consumer: str,
        attempt: int,
        outcome: ExecutionState | None,
        message: str = "",
    ) -> Execution:
        self._checked(caller, project, consumer, attempt, [])
        if outcome is None or outcome is ExecutionState.OPEN:
            raise InvalidArgument("outcome must be SUCCEEDED, FAILED or CANCELLED", field="outcome")

        def work(tx: Transaction) -> Execution:
            owner = existing_project(tx, project, lock=True)
            current = tx.executions.newest(owner.uid, consumer, lock=True)
            if current is None:
                raise not_found(consumer, field="consumer")
            check_attempt(current, attempt)
            if current.state is not ExecutionState.OPEN:
                if current.state is not outcome:
                    raise ended(current)
                return current
            now = self._clock.now()
            tx.executions.end(current, attempt, outcome, message.replace("\0", "")[:MAX_MESSAGE], now)
            tx.audit(audit_row(caller, "EndExecution", consumer, now))
            return _current(tx, owner.uid, consumer)

        return await self._catalog.run(work)

    async def query(self, name: str, depth: int) -> list[Execution]:
        """All executions within `depth` of a version, oldest first; also of a version that is gone."""
        version = parse_version(name, "name")
        if depth < 0 or depth > MAX_DEPTH:
            raise InvalidArgument(f"depth is 0 to {MAX_DEPTH}", field="depth")

        def work(tx: Transaction) -> list[Execution]:
            project = existing_project(tx, version.artifact.project)
            seen: dict[str, Execution] = {}
            known = set(_starting_points(tx, project.uid, version))
            edge = set(known)
            for _ in range(depth or DEFAULT_DEPTH):
                fresh = [e for e in tx.executions.touching(project.uid, edge) if e.uid not in seen]
                seen |= {execution.uid: execution for execution in fresh}
                edge = {ref.version_uid for e in fresh for ref in (*e.inputs, *e.outputs)} - known
                known |= edge
                if not edge or len(seen) > MAX_EXECUTIONS:
                    break
            return sorted(seen.values(), key=lambda e: (e.create_time, e.uid))[:MAX_EXECUTIONS]

        return await self._catalog.read(work)

    async def list_checkpoints(
        self, caller: Identity, job: JobName, before: int | None, limit: int
    ) -> list[Checkpoint]:
        _check_own_job(caller, job)

        def work(tx: Transaction) -> list[Checkpoint]:
            return tx.checkpoints.page(existing_project(tx, job.project).uid, job, before, limit)

        return await self._catalog.read(work)

    async def list_outputs(self, caller: Identity, job: JobName, after: str, limit: int) -> list[Output]:
        _check_own_job(caller, job)

        def work(tx: Transaction) -> list[Output]:
            return tx.outputs.page(existing_project(tx, job.project).uid, job, after, limit)

        return await self._catalog.read(work)

    async def delete_job_files(self, caller: Identity, job: JobName) -> None:
        """Lets go of the trees of the job's checkpoints and outputs. No upload brings one back: none is published for
        an execution that has ended."""

        def work(tx: Transaction) -> None:
            project = existing_project(tx, job.project, lock=True)
            current = tx.executions.newest(project.uid, str(job), lock=True)
            if current is not None and current.state is ExecutionState.OPEN:
                raise ExecutionOpen(
                    f"the execution of {job} is open; end it before its files are deleted", resource=str(job)
                )
            gone = tx.checkpoints.delete(project.uid, job) + tx.outputs.delete(project.uid, job)
            if gone:
                tx.audit(audit_row(caller, "DeleteJobFiles", job, self._clock.now()))

        await self._catalog.run(work)

    def _checked(
        self, caller: Identity, project: str, consumer: str, attempt: int, inputs: list[str]
    ) -> list[VersionName]:
        """The inputs' names, once the request is well-formed and its caller speaks for the consumer."""
        parse_consumer(consumer)
        check_same_project(project, project_of(consumer), "consumer")
        if attempt < 0:
            raise InvalidArgument("attempt is 0 or more", field="attempt")
        validate_inputs(inputs)
        names = [parse_version(name, f"inputs[{index}]") for index, name in enumerate(inputs)]
        for index, name in enumerate(names):
            check_same_project(project, name.artifact.project, f"inputs[{index}]")
        speaker = attempt_from(caller, project)
        if speaker is not None and (str(speaker.job) != consumer or speaker.number != attempt):
            raise PermissionDenied(f"{speaker} speaks for itself only, not for attempt {attempt} of {consumer}")
        return names

    def _fresh(
        self, tx: Transaction, caller: Identity, consumer: str, attempt: int, names: list[VersionName]
    ) -> Execution:
        if attempt != 0:
            raise ExecutionEnded(
                f"{consumer} has no open execution; it is begun with attempt 0", resource=consumer, state="NONE"
            )
        if attempt_from(caller, project_of(consumer)) is not None:
            raise PermissionDenied(f"attempt 0 of {consumer} is begun by the scheduler")
        if not names:
            raise InvalidArgument("inputs is empty; name the versions to use", field="inputs")
        now = self._clock.now()
        requested = tuple(str(name) for name in names)
        tx.audit(audit_row(caller, "BeginExecution", consumer, now))
        return Execution(
            new_uid(),
            project_of(consumer),
            consumer,
            0,
            requested,
            tuple(_resolved(tx, names)),
            (),
            ExecutionState.OPEN,
            now,
        )


def _check_output(project: str, consumer: str, output_dataset: str) -> None:
    dataset = ArtifactName.parse(Collection.DATASETS, output_dataset, "output_dataset")
    check_same_project(project, dataset.project, "output_dataset")
    if "/jobs/" not in consumer:
        raise InvalidArgument(f"output_dataset is for jobs; {consumer} makes nothing", field="output_dataset")


def _check_own_job(caller: Identity, job: JobName) -> None:
    speaker = attempt_from(caller, job.project)
    if speaker is not None and speaker.job != job:
        raise PermissionDenied(f"{speaker} may list the checkpoints and outputs of its own job only")


def _current(tx: Transaction, project_uid: str, consumer: str) -> Execution:
    found = tx.executions.newest(project_uid, consumer)
    if found is None:
        raise not_found(consumer)
    return found


def _resolved(tx: Transaction, names: list[VersionName]) -> list[Ref]:
    """What the names mean now; two names of one version are one input."""
    versions = {version.uid: version for version in (existing_version(tx, name, lock=True) for name in names)}
    return [Ref(str(version.name), version.tree.digest, version.uid) for version in versions.values()]


def _starting_points(tx: Transaction, project_uid: str, name: VersionName) -> list[str]:
    """The version of that name, or, when it is gone, every one that had it."""
    artifact = tx.artifacts.get(name.artifact)
    if artifact is not None:
        latest = artifact.latest_version if name.reference == LATEST else 0
        number = name.number or artifact.aliases.get(name.reference) or latest
        version = tx.versions.get(artifact, number) if number else None
        if version is not None:
            return [version.uid]
    gone = tx.executions.version_uids(project_uid, str(name))
    if not gone:
        raise not_found(str(name))
    return gone
