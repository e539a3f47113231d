"""ProjectService."""

from google.protobuf.empty_pb2 import Empty

from modelyard.api.catalog.v1 import project_pb2
from modelyard.api.catalog.v1 import project_service_pb2 as pb
from modelyard.api.catalog.v1.project_service_pb2_grpc import ProjectServiceServicer
from modelyard.catalog.domain.artifacts import Profile
from modelyard.catalog.domain.names import parse_project
from modelyard.catalog.service.projects import ProjectService
from modelyard.catalog.servicers.messages import project_message
from modelyard.catalog.servicers.requests import Page, request_key
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import PageTokens


class ProjectServicer(ProjectServiceServicer):
    def __init__(self, projects: ProjectService, tokens: PageTokens) -> None:
        self._projects = projects
        self._tokens = tokens

    async def CreateProject(self, request: pb.CreateProjectRequest, context: object) -> project_pb2.Project:
        profile = Profile(display_name=request.project.display_name, labels=dict(request.project.labels))
        key = request_key("CreateProject", request, request.request_id)
        return project_message(await self._projects.create(current_identity(), request.project_id, profile, key))

    async def GetProject(self, request: pb.GetProjectRequest, context: object) -> project_pb2.Project:
        return project_message(await self._projects.get(parse_project(request.name, "name")))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: object) -> pb.ListProjectsResponse:
        page = Page(self._tokens, "ListProjects", "", request.page_size, request.page_token)
        found = await self._projects.page(current_identity(), page.after, page.limit)
        return pb.ListProjectsResponse(
            projects=map(project_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda project: project.id),
        )

    async def DeleteProject(self, request: pb.DeleteProjectRequest, context: object) -> Empty:
        await self._projects.delete(current_identity(), parse_project(request.name, "name"), request.etag)
        return Empty()
