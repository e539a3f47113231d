"""Workers."""

from collections.abc import Iterator

from modelyard.api.scheduler.v1 import worker_pb2, worker_service_pb2, worker_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.pages import every, lister


class Workers:
    """The machines that run jobs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = worker_service_pb2_grpc.WorkerServiceStub(connection.channel)

    def get(self, name: str) -> worker_pb2.Worker:
        """A worker by its id."""
        return self._connection.call(self._stub.GetWorker, worker_service_pb2.GetWorkerRequest(name=_full(name)))

    def list(self) -> Iterator[worker_pb2.Worker]:
        """Every worker."""
        request = worker_service_pb2.ListWorkersRequest()
        return every(lister(self._connection.call, self._stub.ListWorkers, request, "workers"))

    def cordon(self, name: str) -> worker_pb2.Worker:
        """Give it no new jobs."""
        return self._connection.call(self._stub.CordonWorker, worker_service_pb2.CordonWorkerRequest(name=_full(name)))

    def uncordon(self, name: str) -> worker_pb2.Worker:
        """Give it new jobs again."""
        request = worker_service_pb2.UncordonWorkerRequest(name=_full(name))
        return self._connection.call(self._stub.UncordonWorker, request)

    def drain(self, name: str) -> worker_pb2.Worker:
        """Stop its jobs at a checkpoint; it gets no new ones."""
        return self._connection.call(self._stub.DrainWorker, worker_service_pb2.DrainWorkerRequest(name=_full(name)))


def _full(name: str) -> str:
    return name if name.startswith("workers/") else f"workers/{name}"
