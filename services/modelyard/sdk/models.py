"""Models."""

from collections.abc import Iterator
from pathlib import Path

from modelyard.api.catalog.v1 import model_pb2, model_service_pb2, model_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files
from modelyard.sdk.names import in_project, version_in_project
from modelyard.sdk.pages import every, lister
from modelyard.sdk.progress import Progress, silent


class Models:
    """A project's models and their versions."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = model_service_pb2_grpc.ModelServiceStub(connection.channel)

    def pull(self, version: str, folder: Path | str, *, progress: Progress = silent) -> None:
        """Write a version's SavedModel into a new folder, verified."""
        name = version_in_project(self._project, "models", version)
        fetch_files(self._connection, name, Path(folder), progress=progress)

    def get(self, name: str) -> model_pb2.Model:
        """A model by its name."""
        full = in_project(self._project, "models", name)
        return self._connection.call(self._stub.GetModel, model_service_pb2.GetModelRequest(name=full))

    def version(self, name: str) -> model_pb2.ModelVersion:
        """A version: `digits@3`, `digits@latest`, `digits`."""
        full = version_in_project(self._project, "models", name)
        return self._connection.call(self._stub.GetModelVersion, model_service_pb2.GetModelVersionRequest(name=full))

    def list(self) -> Iterator[model_pb2.Model]:
        """Every model of the project."""
        request = model_service_pb2.ListModelsRequest(parent=f"projects/{self._project}")
        return every(lister(self._connection.call, self._stub.ListModels, request, "models"))

    def versions(self, name: str) -> Iterator[model_pb2.ModelVersion]:
        """Every version of a model, newest first."""
        request = model_service_pb2.ListModelVersionsRequest(parent=in_project(self._project, "models", name))
        return every(lister(self._connection.call, self._stub.ListModelVersions, request, "model_versions"))

    def evaluations(self, version: str, dataset: str = "") -> Iterator[model_pb2.Evaluation]:
        """How a version did, newest first; on one dataset version (`mnist@3`, `mnist`), or on all."""
        request = model_service_pb2.ListEvaluationsRequest(
            parent=version_in_project(self._project, "models", version),
            dataset_version=version_in_project(self._project, "datasets", dataset) if dataset else "",
        )
        return every(lister(self._connection.call, self._stub.ListEvaluations, request, "evaluations"))

    def set_alias(self, name: str, alias: str, version: int, expected_version: int | None = None) -> model_pb2.Model:
        """Point an alias to a version, if it still points to `expected_version`."""
        request = model_service_pb2.SetModelAliasRequest(
            name=in_project(self._project, "models", name),
            alias=alias,
            version=version,
            expected_version=expected_version,
        )
        return self._connection.call(self._stub.SetModelAlias, request)

    def delete(self, name: str) -> None:
        """Delete a model with all versions, or with `name@3` that version."""
        if "@" in name or "/versions/" in name:
            full = version_in_project(self._project, "models", name)
            self._connection.call(self._stub.DeleteModelVersion, model_service_pb2.DeleteModelVersionRequest(name=full))
        else:
            request = model_service_pb2.DeleteModelRequest(name=in_project(self._project, "models", name))
            self._connection.call(self._stub.DeleteModel, request)
