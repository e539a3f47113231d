"""The one transaction that makes an upload's tree visible."""

import contextlib
from dataclasses import replace
from datetime import datetime

from modelyard.catalog.domain.artifacts import Artifact, Profile, Tree, Version
from modelyard.catalog.domain.errors import CollectionBusy, NameTaken
from modelyard.catalog.domain.executions import Checkpoint, Output, Ref, attempt_of, check_output_room
from modelyard.catalog.domain.kinds import agreed_kind
from modelyard.catalog.domain.names import ArtifactName, CheckpointName, Collection, OutputName
from modelyard.catalog.domain.uploads import Upload, UploadState
from modelyard.catalog.service.access import by_attempt, check_pushes
from modelyard.catalog.service.existing import existing_artifact, existing_project, existing_upload, outputs_of
from modelyard.catalog.service.ports import AuditRow, Transaction
from modelyard.foundation.ids import new_uid


def publish(tx: Transaction, upload: Upload, tree: Tree, *, now: datetime, keep_checkpoints: int) -> None:
    """COMMITTING to COMMITTED with the new version, or with the latest one when nothing changed.

    A newer attempt that has begun meanwhile refuses it here, in the same transaction.
    """
    existing_project(tx, upload.project, lock=True)
    current = existing_upload(tx, upload.project, upload.id, lock=True)
    if current.state is not UploadState.COMMITTING:
        return
    execution = check_pushes(tx, upload.project_uid, upload.creator, upload.target)
    if tx.trees.get(tree.uid, lock=True) is None:
        raise CollectionBusy(f"the tree of {upload.name} was collected; it is made again")
    if isinstance(upload.target, CheckpointName):
        name, unchanged = _checkpoint(tx, current, upload.target, tree, now, keep_checkpoints), False
    elif isinstance(upload.target, OutputName):
        name, unchanged = _output(tx, current, upload.target, tree, now)
    else:
        version, unchanged = _version(tx, current, upload.target, tree, now)
        name = str(version.name)
        if execution is not None:
            tx.executions.add_output(execution, Ref(name, version.tree.digest, version.uid))
    tx.uploads.close(replace(current, state=UploadState.COMMITTED, version=name, unchanged=unchanged))
    tx.audit(AuditRow(now, upload.creator, "", "CreateVersion", name))


def _checkpoint(tx: Transaction, upload: Upload, name: CheckpointName, tree: Tree, now: datetime, keep: int) -> str:
    attempt = attempt_of(upload.creator)
    tx.checkpoints.put(upload.project_uid, Checkpoint(name, tree, attempt.number, now))
    tx.checkpoints.prune(upload.project_uid, name.job, keep)
    return str(name)


def _output(tx: Transaction, upload: Upload, name: OutputName, tree: Tree, now: datetime) -> tuple[str, bool]:
    check_output_room(name, outputs_of(tx, upload.project_uid, name.job))
    before = tx.outputs.get(upload.project_uid, name)
    tx.outputs.put(upload.project_uid, Output(name, tree, attempt_of(upload.creator).number, now))
    return str(name), before is not None and before.tree.digest == tree.digest


def _version(tx: Transaction, upload: Upload, target: ArtifactName, tree: Tree, now: datetime) -> tuple[Version, bool]:
    """The version that the upload made or found, and whether it was there with the same content already."""
    artifact = tx.artifacts.get(target, lock=True) or _created(tx, upload, target, now)
    kind = agreed_kind(str(target), artifact.kind, upload.package_kind)
    if kind is not artifact.kind:
        artifact = replace(artifact, kind=kind)
        tx.artifacts.update(artifact)
    job = attempt_of(upload.creator).job if by_attempt(target, upload.creator) else None
    made = tx.versions.by_job(artifact, job) if job else None
    if made is not None:
        return made, made.tree.digest == tree.digest
    same = _same(tx, artifact, tree)
    if same is not None:
        return same, True
    number = artifact.last_number + 1
    version = Version(new_uid(), target, number, tree, upload.labels, upload.creator, now, upload.info)
    tx.versions.insert(artifact, version, job)
    if target.collection is Collection.DATASETS:
        tx.profiles.expect(version)
    tx.artifacts.update(replace(artifact, last_number=number, update_time=now))
    return version, False


def _same(tx: Transaction, artifact: Artifact, tree: Tree) -> Version | None:
    """The version that has these files already: the latest one, of a package any one."""
    if artifact.name.collection is Collection.PACKAGES:
        return tx.versions.by_digest(artifact, tree.digest)
    latest = tx.versions.get(artifact, artifact.latest_version) if artifact.latest_version else None
    return latest if latest is not None and latest.tree.digest == tree.digest else None


def _created(tx: Transaction, upload: Upload, target: ArtifactName, now: datetime) -> Artifact:
    """The artifact, made now, or by another first commit in this very moment."""
    with contextlib.suppress(NameTaken):
        tx.artifacts.insert(Artifact(new_uid(), upload.project_uid, target, new_uid(), Profile(), now, now))
    return existing_artifact(tx, target, lock=True)
