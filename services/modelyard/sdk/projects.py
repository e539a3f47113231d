"""Projects."""

import uuid
from collections.abc import Iterator

from modelyard.api.catalog.v1 import project_pb2, project_service_pb2, project_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.pages import every, lister


class Projects:
    """The installation's projects."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = project_service_pb2_grpc.ProjectServiceStub(connection.channel)

    def create(self, project_id: str, display_name: str = "") -> project_pb2.Project:
        """A new project."""
        request = project_service_pb2.CreateProjectRequest(
            project_id=project_id,
            project=project_pb2.Project(display_name=display_name),
            request_id=str(uuid.uuid4()),
        )
        return self._connection.call(self._stub.CreateProject, request)

    def get(self, name: str) -> project_pb2.Project:
        """A project by its id."""
        return self._connection.call(self._stub.GetProject, project_service_pb2.GetProjectRequest(name=_full(name)))

    def list(self) -> Iterator[project_pb2.Project]:
        """Every project in which the token has a role."""
        request = project_service_pb2.ListProjectsRequest()
        return every(lister(self._connection.call, self._stub.ListProjects, request, "projects"))

    def delete(self, name: str) -> None:
        """Delete an empty project."""
        self._connection.call(self._stub.DeleteProject, project_service_pb2.DeleteProjectRequest(name=_full(name)))


def _full(name: str) -> str:
    return name if name.startswith("projects/") else f"projects/{name}"
