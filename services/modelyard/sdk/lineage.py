"""Who uses what, and what came from what."""

from collections.abc import Iterator
from pathlib import Path

from modelyard.api.catalog.v1 import execution_pb2, lineage_service_pb2, lineage_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files
from modelyard.sdk.names import in_project
from modelyard.sdk.pages import every, lister
from modelyard.sdk.progress import Progress, silent


class Lineage:
    """Executions, and the checkpoints and outputs of jobs."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._stub = lineage_service_pb2_grpc.LineageServiceStub(connection.channel)

    def of(self, version: str, depth: int = 0) -> list[execution_pb2.Execution]:
        """Every execution around a version, given by its full name."""
        request = lineage_service_pb2.QueryLineageRequest(name=version, depth=depth)
        return list(self._connection.call(self._stub.QueryLineage, request).executions)

    def checkpoints(self, job: str) -> Iterator[execution_pb2.Checkpoint]:
        """A job's checkpoints, newest first."""
        request = lineage_service_pb2.ListCheckpointsRequest(parent=in_project(self._project, "jobs", job))
        return every(lister(self._connection.call, self._stub.ListCheckpoints, request, "checkpoints"))

    def outputs(self, job: str) -> Iterator[execution_pb2.Output]:
        """A job's outputs by name: `run`, `report`, `rejected`."""
        request = lineage_service_pb2.ListOutputsRequest(parent=in_project(self._project, "jobs", job))
        return every(lister(self._connection.call, self._stub.ListOutputs, request, "outputs"))

    def pull_output(self, name: str, folder: Path | str, *, progress: Progress = silent) -> None:
        """Write an output's files into a new folder, verified; `name` is its full name, as `outputs` has it."""
        fetch_files(self._connection, name, Path(folder), progress=progress)
