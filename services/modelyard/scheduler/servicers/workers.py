"""WorkerService."""

from modelyard.api.scheduler.v1 import worker_pb2, worker_service_pb2, worker_service_pb2_grpc
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.ids import parse
from modelyard.foundation.pages import PageTokens, clamp_page_size
from modelyard.foundation.rpc.shapes import Context
from modelyard.scheduler.domain.events import WorkerCordoned, WorkerDrained, WorkerUncordoned
from modelyard.scheduler.service.workers import Command, Workers
from modelyard.scheduler.servicers import messages

WORKER = "workers/{worker}"
_SCOPE = {"method": "ListWorkers"}


class WorkerServicer(worker_service_pb2_grpc.WorkerServiceServicer):
    def __init__(self, workers: Workers, pages: PageTokens) -> None:
        self._workers = workers
        self._pages = pages

    async def GetWorker(self, request: worker_service_pb2.GetWorkerRequest, context: Context) -> worker_pb2.Worker:
        parse(WORKER, request.name)
        return messages.worker(self._workers.get(current_identity(), request.name))

    async def ListWorkers(
        self, request: worker_service_pb2.ListWorkersRequest, context: Context
    ) -> worker_service_pb2.ListWorkersResponse:
        position = self._pages.decode(request.page_token, **_SCOPE)
        after = str(position[0]) if position else ""
        views, more = self._workers.page(current_identity(), after, clamp_page_size(request.page_size))
        return worker_service_pb2.ListWorkersResponse(
            workers=[messages.worker(view) for view in views],
            next_page_token=self._pages.encode([more], **_SCOPE) if more else "",
        )

    async def CordonWorker(
        self, request: worker_service_pb2.CordonWorkerRequest, context: Context
    ) -> worker_pb2.Worker:
        return await self._command(request.name, WorkerCordoned)

    async def UncordonWorker(
        self, request: worker_service_pb2.UncordonWorkerRequest, context: Context
    ) -> worker_pb2.Worker:
        return await self._command(request.name, WorkerUncordoned)

    async def DrainWorker(self, request: worker_service_pb2.DrainWorkerRequest, context: Context) -> worker_pb2.Worker:
        return await self._command(request.name, WorkerDrained)

    async def _command(self, name: str, command: Command) -> worker_pb2.Worker:
        parse(WORKER, name)
        return messages.worker(await self._workers.command(current_identity(), name, command))
