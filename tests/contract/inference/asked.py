"""Changes of a deployment, and how they are refused."""

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.api.inference.v1 import (
    deployment_pb2,
)
from modelyard.api.inference.v1 import deployment_service_pb2 as pb
from modelyard.foundation.rpc.status import failure_of
from tests.contract.inference.stack import NAME

Code = grpc.StatusCode


def update(version: str = "", *paths: str, **fields: object) -> pb.UpdateDeploymentRequest:
    deployment = deployment_pb2.Deployment(name=NAME, model_version=version, **fields)  # type: ignore[arg-type]
    return pb.UpdateDeploymentRequest(deployment=deployment, update_mask=FieldMask(paths=paths or ["model_version"]))


async def refused(call: object) -> tuple[Code, str, str]:
    """Code, reason and field at fault."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    failure = failure_of(caught.value)
    return failure.code, failure.reason, next(iter(failure.fields), "")
