"""LineageService."""

from google.protobuf.empty_pb2 import Empty

from modelyard.api.catalog.v1 import execution_pb2
from modelyard.api.catalog.v1 import lineage_service_pb2 as pb
from modelyard.api.catalog.v1.lineage_service_pb2_grpc import LineageServiceServicer
from modelyard.catalog.domain.names import JobName, parse_project
from modelyard.catalog.service.lineage import LineageService
from modelyard.catalog.servicers.messages import checkpoint_message, execution_message, outcome_of, output_message
from modelyard.catalog.servicers.requests import Page
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import PageTokens


class LineageServicer(LineageServiceServicer):
    def __init__(self, lineage: LineageService, tokens: PageTokens) -> None:
        self._lineage = lineage
        self._tokens = tokens

    async def BeginExecution(self, request: pb.BeginExecutionRequest, context: object) -> execution_pb2.Execution:
        begun = await self._lineage.begin(
            current_identity(),
            parse_project(request.parent),
            request.consumer,
            request.attempt,
            list(request.inputs),
            request.output_dataset,
            weak=request.weak,
        )
        return execution_message(begun)

    async def EndExecution(self, request: pb.EndExecutionRequest, context: object) -> execution_pb2.Execution:
        ended = await self._lineage.end(
            current_identity(),
            parse_project(request.parent),
            request.consumer,
            request.attempt,
            outcome_of(request.outcome),
            request.message,
        )
        return execution_message(ended)

    async def QueryLineage(self, request: pb.QueryLineageRequest, context: object) -> pb.QueryLineageResponse:
        found = await self._lineage.query(request.name, request.depth)
        return pb.QueryLineageResponse(executions=map(execution_message, found))

    async def ListCheckpoints(self, request: pb.ListCheckpointsRequest, context: object) -> pb.ListCheckpointsResponse:
        job = JobName.parse(request.parent, "parent")
        page = Page(self._tokens, "ListCheckpoints", request.parent, request.page_size, request.page_token)
        found = await self._lineage.list_checkpoints(current_identity(), job, page.number, page.limit)
        return pb.ListCheckpointsResponse(
            checkpoints=map(checkpoint_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda checkpoint: checkpoint.name.step),
        )

    async def ListOutputs(self, request: pb.ListOutputsRequest, context: object) -> pb.ListOutputsResponse:
        job = JobName.parse(request.parent, "parent")
        page = Page(self._tokens, "ListOutputs", request.parent, request.page_size, request.page_token)
        found = await self._lineage.list_outputs(current_identity(), job, page.after, page.limit)
        return pb.ListOutputsResponse(
            outputs=map(output_message, page.shown(found)),
            next_page_token=page.next_token(found, lambda output: output.name.id),
        )

    async def DeleteJobFiles(self, request: pb.DeleteJobFilesRequest, context: object) -> Empty:
        await self._lineage.delete_job_files(current_identity(), JobName.parse(request.parent, "parent"))
        return Empty()
