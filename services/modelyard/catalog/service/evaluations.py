"""How model versions did: recorded by the job that measured it, listed with the version."""

from modelyard.catalog.domain.errors import NotAnInput, OnlyAttempts, not_found
from modelyard.catalog.domain.evaluations import Evaluation, Measured, validate_measured
from modelyard.catalog.domain.executions import Attempt, Execution, Ref
from modelyard.catalog.domain.names import JobName, OutputName, VersionName, check_same_project
from modelyard.catalog.service.access import attempt_from, check_fenced
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.existing import existing_job_tree, existing_project, existing_version
from modelyard.catalog.service.ports import Catalog, DatasetFilter, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument, NotFound

_AT = "evaluation"


class EvaluationService:
    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def record(
        self, caller: Identity, model: VersionName, dataset: VersionName, measured: Measured
    ) -> Evaluation:
        """One for each job and model version: what was recorded first stays, also for a later attempt."""
        attempt = _attempt(caller, model)
        check_same_project(model.artifact.project, dataset.artifact.project, f"{_AT}.dataset_version")
        for name, field in ((model, "parent"), (dataset, f"{_AT}.dataset_version")):
            if name.number is None:
                raise InvalidArgument(f"{field} must end in a version's number; got {name.reference!r}", field=field)
        validate_measured(measured, _AT)
        report = report_of(measured.report, attempt.job, _AT)

        def work(tx: Transaction) -> Evaluation:
            project = existing_project(tx, attempt.job.project, lock=True)
            version = existing_version(tx, model, lock=True)
            known = tx.evaluations.get(version, attempt.job)
            if known is not None:
                return known
            execution = check_fenced(tx, project.uid, caller.subject)
            input_of(execution, model, "parent")
            data = input_of(execution, dataset, f"{_AT}.dataset_version")
            if report is not None:
                existing_job_tree(tx, project.uid, report, f"{_AT}.report")
            now = self._clock.now()
            evaluation = Evaluation(
                model, attempt.job, data.name, data.digest, data.version_uid, measured, caller.subject, now
            )
            tx.evaluations.insert(version, evaluation)
            tx.audit(audit_row(caller, "RecordEvaluation", evaluation.name, now))
            return evaluation

        return await self._catalog.run(work)

    async def page(
        self, model: VersionName, dataset: VersionName | None, before: int | None, limit: int
    ) -> list[Evaluation]:
        """Newest first; of one dataset version, or of all."""
        if dataset is not None:
            check_same_project(model.artifact.project, dataset.artifact.project, "dataset_version")

        def work(tx: Transaction) -> list[Evaluation]:
            version = existing_version(tx, model)
            only = _filter(tx, dataset) if dataset is not None else None
            return tx.evaluations.page(version, only, before, limit)

        return await self._catalog.read(work)


def _attempt(caller: Identity, model: VersionName) -> Attempt:
    attempt = attempt_from(caller, model.artifact.project)
    if attempt is None:
        raise OnlyAttempts(
            f"evaluations of {model} come from jobs only; run one (modelyard evaluate)", resource=str(model)
        )
    return attempt


def report_of(name: str, job: JobName, at: str) -> OutputName | None:
    """The output of `job` that has the whole report; None where there is none."""
    if not name:
        return None
    report = OutputName.parse(name, f"{at}.report")
    if report.job != job:
        raise InvalidArgument(f"{at}.report is no output of {job}", field=f"{at}.report")
    return report


def input_of(execution: Execution, name: VersionName, field: str) -> Ref:
    """The input of that name. Raises NotAnInput."""
    for ref in execution.inputs:
        if ref.name == str(name):
            return ref
    raise NotAnInput(
        f"{name} is no input of {execution.consumer}, so this job can't have measured it",
        field=field,
        resource=str(name),
    )


def _filter(tx: Transaction, dataset: VersionName) -> DatasetFilter:
    """Evaluations outlive the dataset version: one that is gone is still found by its number."""
    try:
        version = existing_version(tx, dataset)
    except NotFound:
        if dataset.number is None:
            raise not_found(str(dataset), field="dataset_version") from None
        return DatasetFilter(str(dataset))
    return DatasetFilter(str(version.name), version.uid)
