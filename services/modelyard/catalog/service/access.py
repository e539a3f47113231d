"""What a role alone does not decide: an attempt sees and makes its job's own only, a model host sees models only."""

from modelyard.catalog.domain.errors import OnlyAttempts
from modelyard.catalog.domain.executions import Attempt, Execution, attempt_of, check_fence, is_attempt
from modelyard.catalog.domain.names import ArtifactName, Collection, OutputName, Readable, Target, VersionName
from modelyard.catalog.domain.uploads import Upload
from modelyard.catalog.service.ports import Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.errors import PermissionDenied


def attempt_from(caller: Identity, project: str) -> Attempt | None:
    """The attempt that the caller is, None for anybody else."""
    if "attempt" not in caller.roles_in(project):
        return None
    attempt = attempt_of(caller.subject)
    if attempt.job.project != project:
        raise PermissionDenied(f"{attempt} has no part in projects/{project}")
    return attempt


def check_may_push(caller: Identity, target: Target) -> None:
    """Models, checkpoints and outputs come from the attempts of jobs, packages from people, datasets from both."""
    attempt = attempt_from(caller, target.project)
    if not isinstance(target, ArtifactName):
        if attempt is None or attempt.job != target.job:
            what = "outputs" if isinstance(target, OutputName) else "checkpoints"
            raise OnlyAttempts(f"only an attempt of {target.job} can store its {what}", resource=str(target))
    elif target.collection is Collection.MODELS:
        if attempt is None:
            raise OnlyAttempts(
                f"versions of {target} come from jobs only; train one (modelyard train) or bring one in "
                "(modelyard models push)",
                resource=str(target),
            )
    elif attempt is not None and target.collection is Collection.PACKAGES:
        raise PermissionDenied("an attempt stores no packages", resource=str(target))


def check_fenced(tx: Transaction, project_uid: str, caller_subject: str) -> Execution:
    """The open execution of the attempt `caller_subject`; ABORTED when a newer one has begun."""
    attempt = attempt_of(caller_subject)
    return check_fence(tx.executions.newest(project_uid, str(attempt.job), lock=True), attempt)


def check_pushes(tx: Transaction, project_uid: str, creator: str, target: Target) -> Execution | None:
    """The open execution that `creator` may make this for; None where a person pushes. ABORTED when a newer attempt
    has begun."""
    if not by_attempt(target, creator):
        return None
    execution = check_fenced(tx, project_uid, creator)
    of_dataset = isinstance(target, ArtifactName) and target.collection is Collection.DATASETS
    if of_dataset and execution.output_dataset != str(target):
        makes = f"a version of {execution.output_dataset}" if execution.output_dataset else "no dataset version"
        raise PermissionDenied(f"{execution.consumer} makes {makes}, none of {target}", resource=str(target))
    return execution


def check_owns(caller: Identity, upload: Upload, *, write: bool) -> None:
    """An attempt's upload is the attempt's alone: whoever could send its parts could swap the model."""
    attempt = attempt_from(caller, upload.project)
    if upload.creator != caller.subject and (
        attempt is not None or (write and by_attempt(upload.target, upload.creator))
    ):
        raise PermissionDenied(
            f"{upload.name} belongs to {upload.creator}; only it may change or see this upload", resource=upload.name
        )


def check_may_read(tx: Transaction, caller: Identity, name: Readable, project_uid: str) -> None:
    """For machines: an attempt reads its job's inputs, what the job made, and what was found in earlier versions of its
    datasets; a host reads models."""
    project = name.artifact.project if isinstance(name, VersionName) else name.project
    roles = caller.roles_in(project)
    if roles & {"viewer", "editor", "admin", "service"}:
        return
    attempt = attempt_from(caller, project)
    if attempt is not None:
        execution = tx.executions.newest(project_uid, str(attempt.job))
        if isinstance(name, VersionName):
            refs = [*execution.inputs, *execution.outputs] if execution else []
            allowed = str(name) in {ref.name for ref in refs}
        else:
            allowed = name.job == attempt.job
            if not allowed and isinstance(name, OutputName):
                dataset = tx.profiles.dataset_of(name)
                allowed = dataset is not None and _uses(execution, dataset)
        if not allowed:
            raise PermissionDenied(f"{attempt} may read its inputs, outputs and checkpoints; {name} is none of them")
    elif not isinstance(name, VersionName) or name.artifact.collection is not Collection.MODELS:
        raise PermissionDenied(f"a model host reads models only, not {name}")


def check_uses(tx: Transaction, caller: Identity, dataset: ArtifactName, project_uid: str) -> None:
    """An attempt must have a version of the dataset as input."""
    attempt = attempt_from(caller, dataset.project)
    if attempt is not None and not _uses(tx.executions.newest(project_uid, str(attempt.job)), dataset):
        raise PermissionDenied(f"{attempt} has no version of {dataset} as input")


def _uses(execution: Execution | None, dataset: ArtifactName) -> bool:
    inputs = execution.inputs if execution is not None else ()
    return any(ref.name.startswith(f"{dataset}/versions/") for ref in inputs)


def by_attempt(target: Target, creator: str) -> bool:
    """Whether an attempt stores it: what only jobs make, and the datasets that they make."""
    if not isinstance(target, ArtifactName) or target.collection is Collection.MODELS:
        return True
    return is_attempt(creator)
