"""What a role alone does not decide: an attempt sees its own job only, a model host sees models only."""

from modelyard.catalog.domain.errors import OnlyAttempts
from modelyard.catalog.domain.executions import Attempt, Execution, attempt_of, check_fence
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
    """Models, checkpoints and outputs come from the attempts of jobs, datasets and packages from people."""
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
    elif attempt is not None:
        raise PermissionDenied(
            f"an attempt stores models, checkpoints and outputs, no {target.collection}", resource=str(target)
        )


def check_fenced(tx: Transaction, project_uid: str, caller_subject: str) -> Execution:
    """The open execution of the attempt `caller_subject`; ABORTED when a newer one has begun."""
    attempt = attempt_of(caller_subject)
    return check_fence(tx.executions.newest(project_uid, str(attempt.job), lock=True), attempt)


def check_owns(caller: Identity, upload: Upload, *, write: bool) -> None:
    """An attempt's upload is the attempt's alone: whoever could send its parts could swap the model."""
    attempt = attempt_from(caller, upload.project)
    if upload.creator != caller.subject and (attempt is not None or (write and needs_attempt(upload.target))):
        raise PermissionDenied(
            f"{upload.name} belongs to {upload.creator}; only it may change or see this upload", resource=upload.name
        )


def check_may_read(tx: Transaction, caller: Identity, name: Readable, project_uid: str) -> None:
    """For machines: an attempt reads its job's inputs and what the job made, a host reads models."""
    project = name.artifact.project if isinstance(name, VersionName) else name.project
    roles = caller.roles_in(project)
    if roles & {"viewer", "editor", "admin", "service"}:
        return
    attempt = attempt_from(caller, project)
    if attempt is not None:
        if not isinstance(name, VersionName):
            allowed = name.job == attempt.job
        else:
            execution = tx.executions.newest(project_uid, str(attempt.job))
            refs = [*execution.inputs, *execution.outputs] if execution else []
            allowed = str(name) in {ref.name for ref in refs}
        if not allowed:
            raise PermissionDenied(f"{attempt} may read its inputs, outputs and checkpoints; {name} is none of them")
    elif not isinstance(name, VersionName) or name.artifact.collection is not Collection.MODELS:
        raise PermissionDenied(f"a model host reads models only, not {name}")


def needs_attempt(target: Target) -> bool:
    return not isinstance(target, ArtifactName) or target.collection is Collection.MODELS
