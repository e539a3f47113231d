"""Deployments, and predictions from them."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.api.inference.v1 import deployment_pb2, deployment_service_pb2, deployment_service_pb2_grpc
from modelyard.api.serving.v1 import predict_pb2
from modelyard.sdk.connection import Connection
from modelyard.sdk.names import in_project, version_in_project
from modelyard.sdk.pages import every, lister
from modelyard.sdk.tensors import encode

State = deployment_pb2.Deployment.State


class Deployments:
    """A project's deployments."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = deployment_service_pb2_grpc.DeploymentServiceStub(connection.channel)
        self._predict = connection.channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )

    def create(self, name: str, model: str, *, validate_only: bool = False) -> deployment_pb2.Deployment:
        """Serve a model version (`digits@3`) under a name."""
        request = deployment_service_pb2.CreateDeploymentRequest(
            parent=f"projects/{self._project}",
            deployment_id=name,
            deployment=deployment_pb2.Deployment(model_version=version_in_project(self._project, "models", model)),
            request_id=str(uuid.uuid4()),
            validate_only=validate_only,
        )
        return self._connection.call(self._stub.CreateDeployment, request)

    def update(self, name: str, model: str) -> deployment_pb2.Deployment:
        """Serve another model version under the name; the old one answers until the new one is warm."""
        deployment = deployment_pb2.Deployment(
            name=self._full(name), model_version=version_in_project(self._project, "models", model)
        )
        request = deployment_service_pb2.UpdateDeploymentRequest(
            deployment=deployment, update_mask=FieldMask(paths=["model_version"])
        )
        return self._connection.call(self._stub.UpdateDeployment, request)

    def get(self, name: str) -> deployment_pb2.Deployment:
        """A deployment by its name."""
        request = deployment_service_pb2.GetDeploymentRequest(name=self._full(name))
        return self._connection.call(self._stub.GetDeployment, request)

    def list(self) -> Iterator[deployment_pb2.Deployment]:
        """Every deployment of the project."""
        request = deployment_service_pb2.ListDeploymentsRequest(parent=f"projects/{self._project}")
        return every(lister(self._connection.call, self._stub.ListDeployments, request, "deployments"))

    def watch(self, name: str) -> Iterator[deployment_pb2.Deployment]:
        """The deployment now and whenever it changes, until it is deleted."""
        request = deployment_service_pb2.WatchDeploymentRequest(name=self._full(name))
        return self._connection.follow(self._stub.WatchDeployment, request)

    def delete(self, name: str) -> None:
        """Stop serving."""
        request = deployment_service_pb2.DeleteDeploymentRequest(name=self._full(name))
        self._connection.call(self._stub.DeleteDeployment, request)

    def serving_config(self, name: str) -> deployment_service_pb2.ServingConfig:
        """What is served where."""
        request = deployment_service_pb2.GetServingConfigRequest(name=self._full(name))
        return self._connection.call(self._stub.GetServingConfig, request)

    def predict(
        self,
        name: str,
        inputs: Mapping[str, Any],
        *,
        signature: str = "serving_default",
        version: int = 0,
        timeout: float = 60.0,
    ) -> predict_pb2.PredictResponse:
        """Answers of a deployment to NumPy arrays, bytes or lists of bytes; read them with `sdk.tensors`.

        `version` 0 is whichever the deployment serves; `timeout` in seconds.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name if self._project == "default" else f"{self._project}.{name}"
        request.model_spec.signature_name = signature
        if version:
            request.model_spec.version.value = version
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(encode(value))
        return self._connection.call(self._predict, request, timeout=timeout)

    def _full(self, name: str) -> str:
        return in_project(self._project, "deployments", name)
