"""Every method against every role: the table says who may call, the server does what it says."""

from typing import Any

import grpc
import pytest
from google.protobuf import message_factory

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    file_service_pb2,
    lineage_service_pb2,
    model_service_pb2,
    package_service_pb2,
    project_service_pb2,
    token_service_pb2,
    upload_service_pb2,
)
from modelyard.catalog.policy import RULES
from modelyard.foundation.auth.roles import MACHINE_ROLES, PEOPLE_ROLES
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import RunningCatalog

PACKAGES = (
    dataset_service_pb2,
    file_service_pb2,
    lineage_service_pb2,
    model_service_pb2,
    package_service_pb2,
    project_service_pb2,
    token_service_pb2,
    upload_service_pb2,
)
METHODS = {
    f"/{service.full_name}/{method.name}": method
    for package in PACKAGES
    for service in package.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
MACHINES_IN = {"attempt": "default", "worker": "*", "host": "*", "service": "*"}
SUBJECTS = {
    "attempt": "projects/default/jobs/j/attempts/1",
    "worker": "workers/w",
    "host": "hosts/h",
    "service": "services/s",
}

EXPECTED = {
    "ProjectService": {
        "CreateProject": "",
        "GetProject": "viewer predictor editor admin service",
        "DeleteProject": "admin",
    },
    "TokenService": {"ListRevocations": "worker host service"},
    "DatasetService": {
        "CreateDataset": "editor admin",
        "GetDataset": "viewer editor admin service",
        "ListDatasets": "viewer editor admin service",
        "UpdateDataset": "editor admin",
        "DeleteDataset": "editor admin",
        "GetDatasetVersion": "viewer editor admin service attempt",
        "ListDatasetVersions": "viewer editor admin service",
        "DeleteDatasetVersion": "editor admin",
        "SetDatasetAlias": "editor admin",
        "DeleteDatasetAlias": "editor admin",
        "GetInputSpec": "viewer editor admin service attempt",
        "GetStatistics": "viewer editor admin service attempt",
        "RecordStatistics": "attempt",
        "ListUnprofiledVersions": "service",
        "SetProfileJob": "service",
    },
    "ModelService": {
        "CreateModel": "editor admin",
        "GetModel": "viewer editor admin service",
        "ListModels": "viewer editor admin service",
        "UpdateModel": "editor admin",
        "DeleteModel": "editor admin",
        "GetModelVersion": "viewer editor admin service attempt host",
        "ListModelVersions": "viewer editor admin service",
        "DeleteModelVersion": "editor admin",
        "SetModelAlias": "editor admin",
        "DeleteModelAlias": "editor admin",
        "RecordEvaluation": "attempt",
        "ListEvaluations": "viewer editor admin service",
    },
    "PackageService": {
        "GetPackage": "viewer editor admin service",
        "ListPackages": "viewer editor admin service",
        "DeletePackage": "editor admin",
        "GetPackageVersion": "viewer editor admin service attempt",
        "ListPackageVersions": "viewer editor admin service",
        "DeletePackageVersion": "editor admin",
        "GetPackageSpec": "viewer editor admin service attempt",
    },
    "UploadService": {
        "BeginUpload": "editor admin attempt",
        "SignUploadParts": "editor admin attempt",
        "GetUpload": "editor admin attempt",
        "CommitUpload": "editor admin attempt",
        "AbortUpload": "editor admin attempt",
        "UploadInline": "editor admin",
    },
    "FileService": {
        "ListFiles": "viewer editor admin service attempt host",
        "SignReads": "viewer editor admin attempt host",
    },
    "LineageService": {
        "BeginExecution": "service attempt",
        "EndExecution": "service attempt",
        "QueryLineage": "viewer editor admin",
        "ListCheckpoints": "viewer editor admin service attempt",
        "ListOutputs": "viewer editor admin service attempt",
        "DeleteJobFiles": "service",
    },
}
"""Written by hand, so that a change of the table shows up twice. Project roles; `*`-only rules name machines."""
WHOEVER_HAS_A_TOKEN = {"ListProjects", "CreateToken", "ListTokens", "RevokeToken"}


def test_every_method_has_a_rule_and_a_line_here() -> None:
    assert set(RULES) == set(METHODS)
    named = {name for methods in EXPECTED.values() for name in methods} | WHOEVER_HAS_A_TOKEN
    assert named == {method.name for method in METHODS.values()}


async def call(channel: grpc.aio.Channel, path: str, project: str) -> grpc.StatusCode | None:
    """What a request that only names a thing in `project` is answered with; None is OK."""
    method = METHODS[path]
    request = message_factory.GetMessageClass(method.input_type)()
    scope = RULES[path].scope
    if "." in scope:
        outer, inner = scope.split(".")
        setattr(getattr(request, outer), inner, f"projects/{project}/nothing/x")
    elif scope and scope != "*":
        setattr(request, scope, f"projects/{project}")
    answer = message_factory.GetMessageClass(method.output_type)
    send: Any = channel.unary_unary(path, lambda message: message.SerializeToString(), answer.FromString)
    try:
        await send(request)
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.PERMISSION_DENIED and reason_of(error) != "PERMISSION_DENIED":
            return None  # past the table: refused by the use case
        return error.code()
    return None


@pytest.fixture
async def channels(catalog: RunningCatalog) -> dict[str, grpc.aio.Channel]:
    found = {}
    for role in (*PEOPLE_ROLES, *MACHINE_ROLES):
        client = await catalog.client(role, MACHINES_IN.get(role, "default"), SUBJECTS.get(role, "users/ann"))
        found[role] = client.channel
    found[""] = (await catalog.client_with("")).channel
    return found


@pytest.mark.parametrize("path", sorted(METHODS))
async def test_a_role_may_call_what_the_table_says_and_nothing_else(
    channels: dict[str, grpc.aio.Channel], path: str
) -> None:
    service, name = path[1:].split("/")
    allowed = EXPECTED[service.rpartition(".")[2]].get(name)
    assert await call(channels[""], path, "default") is grpc.StatusCode.UNAUTHENTICATED
    for role in (*PEOPLE_ROLES, *MACHINE_ROLES):
        code = await call(channels[role], path, "default")
        if allowed is None or role in allowed.split():
            assert code not in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED), role
            assert code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), role
        else:
            assert code is grpc.StatusCode.PERMISSION_DENIED, role
        elsewhere = await call(channels[role], path, "foreign")
        if allowed is not None and (role in PEOPLE_ROLES or role == "attempt"):
            assert elsewhere is grpc.StatusCode.PERMISSION_DENIED, role


async def test_what_exists_elsewhere_is_refused_as_what_does_not(catalog: RunningCatalog) -> None:
    admin, eve = await catalog.client(), await catalog.client("editor", "other", "users/eve")
    await admin.pushed("projects/default/datasets/real", {"x": b"x"})
    texts = []
    for dataset in ("real", "fake"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await eve.datasets.GetDataset(
                dataset_service_pb2.GetDatasetRequest(name=f"projects/default/datasets/{dataset}")
            )
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        texts.append(failure_of(caught.value).message.replace(dataset, ""))
    assert texts[0] == texts[1]
