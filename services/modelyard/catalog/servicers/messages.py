"""Domain objects as messages, and back."""

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    execution_pb2,
    model_pb2,
    package_pb2,
    package_service_pb2,
    project_pb2,
    token_service_pb2,
    upload_pb2,
)
from modelyard.catalog.domain.artifacts import Artifact, Profile, Project, Version
from modelyard.catalog.domain.executions import Checkpoint, Execution, ExecutionState, Output, Ref
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.packages import PackageSpec
from modelyard.catalog.domain.tokens import Token
from modelyard.catalog.domain.uploads import Pack, Upload, UploadError
from modelyard.foundation.errors import InvalidArgument, Kind
from modelyard.foundation.rpc.status import CODES, Failure, to_error, to_status

_ExecutionState = execution_pb2.Execution.State
_PACKAGE_KINDS = {
    PackageKind.UNSAID: package_pb2.Package.KIND_UNSPECIFIED,
    PackageKind.CODE: package_pb2.Package.KIND_CODE,
    PackageKind.MODEL: package_pb2.Package.KIND_MODEL,
}


def timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def project_message(project: Project) -> project_pb2.Project:
    return project_pb2.Project(
        name=project.name,
        uid=project.uid,
        etag=project.etag,
        display_name=project.display_name,
        labels=project.labels,
        create_time=timestamp(project.create_time),
        update_time=timestamp(project.update_time),
    )


def profile_of(message: dataset_pb2.Dataset | model_pb2.Model) -> Profile:
    return Profile(message.display_name, message.description, dict(message.labels))


def _artifact_fields(artifact: Artifact) -> dict[str, Any]:
    """What a dataset, a model and a package have in common."""
    return {
        "name": str(artifact.name),
        "uid": artifact.uid,
        "etag": artifact.etag,
        "display_name": artifact.profile.display_name,
        "description": artifact.profile.description,
        "labels": artifact.profile.labels,
        "create_time": timestamp(artifact.create_time),
        "update_time": timestamp(artifact.update_time),
        "latest_version": artifact.latest_version,
    }


def version_fields(version: Version) -> dict[str, Any]:
    """What their versions have in common."""
    return {
        "name": str(version.name),
        "uid": version.uid,
        "digest": version.tree.digest,
        "size_bytes": version.tree.size_bytes,
        "file_count": version.tree.file_count,
        "create_time": timestamp(version.create_time),
        "labels": version.labels,
        "creator": version.creator,
    }


def dataset_message(artifact: Artifact) -> dataset_pb2.Dataset:
    return dataset_pb2.Dataset(**_artifact_fields(artifact), aliases=artifact.aliases)


def model_message(artifact: Artifact) -> model_pb2.Model:
    return model_pb2.Model(**_artifact_fields(artifact), aliases=artifact.aliases)


def package_message(artifact: Artifact) -> package_pb2.Package:
    return package_pb2.Package(**_artifact_fields(artifact), kind=_PACKAGE_KINDS[artifact.kind])


def package_kind_of(kind: int, field: str) -> PackageKind:
    known = {value: kind for kind, value in _PACKAGE_KINDS.items()}
    if kind not in known:
        raise InvalidArgument(f"{field} is {kind}, which is no kind of package", field=field)
    return known[kind]  # type: ignore[index]


def package_version_message(version: Version) -> package_pb2.PackageVersion:
    return package_pb2.PackageVersion(**version_fields(version))


def package_spec_message(spec: PackageSpec) -> package_service_pb2.PackageSpec:
    return package_service_pb2.PackageSpec(
        package_version=spec.version,
        digest=spec.digest,
        template_toml=spec.template_toml,
        has_requirements=spec.has_requirements,
        modules=spec.modules,
    )


def dataset_version_message(version: Version) -> dataset_pb2.DatasetVersion:
    return dataset_pb2.DatasetVersion(**version_fields(version))


def token_message(token: Token) -> token_service_pb2.Token:
    return token_service_pb2.Token(
        name=token.name,
        subject=token.subject,
        projects=token.projects,
        create_time=timestamp(token.create_time),
        expire_time=timestamp(token.expire_time),
        revoke_time=timestamp(token.revoke_time),
    )


def pack_of(message: upload_pb2.Pack) -> Pack:
    return Pack(message.number, message.size_bytes, message.manifest)


def upload_message(upload: Upload) -> upload_pb2.Upload:
    return upload_pb2.Upload(
        name=upload.name,
        target=str(upload.target),
        base_version=upload.base_version,
        state=upload_pb2.Upload.State.Value(f"STATE_{upload.state}"),
        packs=[_pack_message(pack) for pack in upload.packs],
        create_time=timestamp(upload.create_time),
        expire_time=timestamp(upload.expire_time),
        verified_bytes=upload.verified_bytes,
        total_bytes=upload.total_bytes,
        version=upload.version,
        error=_status(upload.error) if upload.error else None,
        labels=upload.labels,
        unchanged=upload.unchanged,
        package_kind=_PACKAGE_KINDS[upload.package_kind],
    )


def _status(error: UploadError) -> status_pb2.Status:
    """As the call would have answered, had it waited."""
    fields = {error.field: error.message} if error.field else {}
    return to_status(to_error(Failure(CODES[Kind(error.kind)], error.message, error.reason, error.facts, fields)))


def _pack_message(pack: Pack) -> upload_pb2.Pack:
    return upload_pb2.Pack(
        number=pack.number,
        size_bytes=pack.size,
        manifest=pack.manifest,
        part_size_bytes=pack.part_bytes,
        received_parts=[
            upload_pb2.Part(number=part.number, etag=part.etag, size_bytes=part.size) for part in pack.received
        ],
    )


def execution_message(execution: Execution) -> execution_pb2.Execution:
    last = execution.last_checkpoint
    return execution_pb2.Execution(
        name=execution.name,
        consumer=execution.consumer,
        attempt=execution.attempt,
        inputs=[_ref_message(ref) for ref in execution.inputs],
        outputs=[_ref_message(ref) for ref in execution.outputs],
        state=_ExecutionState.Value(f"STATE_{execution.state}"),
        last_checkpoint=checkpoint_message(last) if last else None,
        create_time=timestamp(execution.create_time),
        end_time=timestamp(execution.end_time),
        output_dataset=execution.output_dataset,
        message=execution.message,
    )


def outcome_of(state: int) -> ExecutionState | None:
    known = {
        _ExecutionState.STATE_SUCCEEDED: ExecutionState.SUCCEEDED,
        _ExecutionState.STATE_FAILED: ExecutionState.FAILED,
        _ExecutionState.STATE_CANCELLED: ExecutionState.CANCELLED,
    }
    return next((outcome for value, outcome in known.items() if value == state), None)


def checkpoint_message(checkpoint: Checkpoint) -> execution_pb2.Checkpoint:
    return execution_pb2.Checkpoint(
        name=str(checkpoint.name),
        step=checkpoint.name.step,
        digest=checkpoint.tree.digest,
        size_bytes=checkpoint.tree.size_bytes,
        attempt=checkpoint.attempt,
        create_time=timestamp(checkpoint.create_time),
    )


def output_message(output: Output) -> execution_pb2.Output:
    return execution_pb2.Output(
        name=str(output.name),
        digest=output.tree.digest,
        size_bytes=output.tree.size_bytes,
        file_count=output.tree.file_count,
        attempt=output.attempt,
        create_time=timestamp(output.create_time),
    )


def _ref_message(ref: Ref) -> execution_pb2.VersionRef:
    return execution_pb2.VersionRef(name=ref.name, digest=ref.digest)
