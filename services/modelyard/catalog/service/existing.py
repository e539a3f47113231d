"""What a request names, or NOT_FOUND."""

from modelyard.catalog.domain.artifacts import Artifact, Project, Tree, Version
from modelyard.catalog.domain.errors import not_found
from modelyard.catalog.domain.executions import MAX_OUTPUTS, Checkpoint, Output
from modelyard.catalog.domain.names import LATEST, ArtifactName, CheckpointName, JobName, OutputName, VersionName
from modelyard.catalog.domain.uploads import Upload
from modelyard.catalog.service.ports import Transaction


def existing_project(tx: Transaction, project: str, *, lock: bool = False) -> Project:
    found = tx.projects.get(project, lock=lock)
    if found is None:
        raise not_found(f"projects/{project}")
    return found


def existing_artifact(tx: Transaction, name: ArtifactName, *, lock: bool = False) -> Artifact:
    found = tx.artifacts.get(name, lock=lock)
    if found is None:
        raise not_found(str(name))
    return found


def existing_version(tx: Transaction, name: VersionName, *, lock: bool = False) -> Version:
    """By number, by alias, or `latest`; NOT_FOUND says what is missing: the artifact, the alias or the version."""
    artifact = existing_artifact(tx, name.artifact)
    number = name.number
    if number is None:
        number = artifact.latest_version if name.reference == LATEST else artifact.aliases.get(name.reference, 0)
    version = tx.versions.get(artifact, number, lock=lock) if number else None
    if version is None:
        raise not_found(str(name))
    return version


def existing_job_tree(tx: Transaction, project_uid: str, name: CheckpointName | OutputName, field: str = "") -> Tree:
    """The files of a checkpoint or an output."""
    found: Checkpoint | Output | None
    if isinstance(name, CheckpointName):
        found = tx.checkpoints.get(project_uid, name)
    else:
        found = tx.outputs.get(project_uid, name)
    if found is None:
        raise not_found(str(name), field=field)
    return found.tree


def outputs_of(tx: Transaction, project_uid: str, job: JobName) -> list[Output]:
    """All outputs of a job: there are never more than MAX_OUTPUTS."""
    return tx.outputs.page(project_uid, job, "", MAX_OUTPUTS)


def existing_upload(tx: Transaction, project: str, upload_id: str, *, lock: bool = False) -> Upload:
    found = tx.uploads.get(project, upload_id, lock=lock)
    if found is None:
        raise not_found(f"projects/{project}/uploads/{upload_id}")
    return found
