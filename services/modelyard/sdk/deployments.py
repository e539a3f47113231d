"""Deployments, and predictions from them."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.api.inference.v1 import deployment_pb2, deployment_service_pb2, deployment_service_pb2_grpc
from modelyard.api.serving.v1 import metadata_pb2, predict_pb2
from modelyard.sdk.connection import Connection
from modelyard.sdk.errors import NotFound, PermissionDenied
from modelyard.sdk.models import Models
from modelyard.sdk.names import in_project, short, version_in_project
from modelyard.sdk.pages import every, lister
from modelyard.sdk.predicting import Answer, Asker, Model, Row, RowProblem
from modelyard.sdk.predicting.model import of_metadata, of_version
from modelyard.sdk.tensors import encode

State = deployment_pb2.Deployment.State
_PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Deployments:
    """A project's deployments."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = deployment_service_pb2_grpc.DeploymentServiceStub(connection.channel)
        self._predict = connection.channel.unary_unary(
            _PREDICT,
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        self._metadata = connection.channel.unary_unary(
            "/tensorflow.serving.PredictionService/GetModelMetadata",
            request_serializer=metadata_pb2.GetModelMetadataRequest.SerializeToString,
            response_deserializer=metadata_pb2.GetModelMetadataResponse.FromString,
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
        request.model_spec.name = self._serving_name(name)
        request.model_spec.signature_name = signature
        if version:
            request.model_spec.version.value = version
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(encode(value))
        return self._connection.call(self._predict, request, timeout=timeout)

    def asker(self, name: str, *, signature: str = "", version: int = 0, **options: Any) -> Asker:
        """What asks a deployment with Python values, files and rows; it reads once what the model takes.

        `options` are Asker's: `in_flight` requests, `rows_at_once` in one of them, `timeout`.
        """
        model = self.model(name, version)
        server = self._connection.access.server
        serving_name = self._serving_name(name)
        return Asker(self._predict, serving_name, model, signature=signature, version=version, server=server, **options)

    def ask(self, name: str, values: Mapping[str, Any], *, signature: str = "", version: int = 0) -> Answer:
        """The answer to one example: `ask("reviews", {"text": "splendid"})`, `ask("digits", {"image": Path("7.png")})`.

        Raises what is wrong with it, InvalidArgument with the input's name in `field`.
        """
        answer = next(iter(self.asker(name, signature=signature, version=version).answers([Row(values)])))
        if answer.error is not None:
            raise answer.error
        return answer

    def ask_all(
        self, name: str, rows: Iterable[Mapping[str, Any] | Row | RowProblem], **options: Any
    ) -> Iterator[Answer]:
        """An answer an example, in their order, several at once; one that fails has its error in `Answer.error`."""
        asker = self.asker(name, **options)
        yield from asker.answers(row if isinstance(row, Row | RowProblem) else Row(row) for row in rows)

    def model(self, name: str, version: int = 0) -> Model:
        """What a deployment takes and answers."""
        try:
            deployment = self.get(name)
            served = deployment.serving_version or deployment.model_version
            if version:
                served = f"{served.rpartition('/')[0]}/{version}"
            found = Models(self._connection, self._project).version(served)
        except PermissionDenied:
            return self._served(name, version)
        return of_version(found, short(found.name)) if found.info.signatures else self._served(name, version)

    def _served(self, name: str, version: int) -> Model:
        """What the model server says, for those who may predict and see nothing else."""
        request = metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self._serving_name(name)
        if version:
            request.model_spec.version.value = version
        answer = self._connection.call(self._metadata, request)
        if "signature_def" not in answer.metadata:
            raise NotFound(f"{name} says nothing about its signatures", reason="SIGNATURE_NOT_FOUND")
        return of_metadata(answer, f"{name}@{answer.model_spec.version.value}")

    def _serving_name(self, name: str) -> str:
        """`digits` of the project default, `vision.digits` of another; a full name says which one."""
        _, project, _, name = name.split("/", 3) if name.startswith("projects/") else ("", self._project, "", name)
        return name if project == "default" else f"{project}.{name}"

    def _full(self, name: str) -> str:
        return in_project(self._project, "deployments", name)
