"""TrainerService: what a worker says of itself on its own machine."""

import socket
from datetime import UTC, datetime
from importlib.metadata import version

from google.protobuf.timestamp_pb2 import Timestamp

from modelyard.api.scheduler.v1 import job_pb2, worker_pb2
from modelyard.api.trainer.v1 import trainer_service_pb2 as pb
from modelyard.api.trainer.v1 import trainer_service_pb2_grpc as rpc
from modelyard.foundation.auth.policy import INSTALLATION, Rule, service_rules
from modelyard.foundation.auth.roles import ADMINS, READERS, WORKERS
from modelyard.trainer.messages import to_device
from modelyard.trainer.service import Running, Worker

RULES = service_rules(
    "modelyard.api.trainer.v1.TrainerService",
    {
        "GetWorker": Rule(READERS | WORKERS, INSTALLATION),
        "ListDevices": Rule(READERS | WORKERS, INSTALLATION),
        "ListAttempts": Rule(READERS | WORKERS, INSTALLATION),
        "Drain": Rule(ADMINS | WORKERS, INSTALLATION),
    },
)


class TrainerServicer(rpc.TrainerServiceServicer):
    """Translation only."""

    def __init__(self, worker: Worker, name: str) -> None:
        self._worker = worker
        self._name = name

    async def GetWorker(self, request: pb.GetWorkerRequest, context: object) -> worker_pb2.Worker:
        return self._describe()

    async def ListDevices(self, request: pb.ListDevicesRequest, context: object) -> pb.ListDevicesResponse:
        return pb.ListDevicesResponse(devices=[to_device(device) for device in self._worker.found.devices])

    async def ListAttempts(self, request: pb.ListAttemptsRequest, context: object) -> pb.ListAttemptsResponse:
        return pb.ListAttemptsResponse(
            attempts=[self._attempt(name, one) for name, one in self._worker.running.items()]
        )

    async def Drain(self, request: pb.DrainRequest, context: object) -> worker_pb2.Worker:
        self._worker.drain()
        return self._describe()

    def _describe(self) -> worker_pb2.Worker:
        found = self._worker.found
        return worker_pb2.Worker(
            name=f"workers/{self._name}",
            state=self._state(),
            devices=[to_device(device) for device in found.devices],
            attempts=list(self._worker.running),
            hostname=socket.gethostname(),
            version=version("modelyard"),
            tensorflow_version=found.tensorflow_version,
        )

    def _state(self) -> worker_pb2.Worker.State.ValueType:
        if self._worker.draining:
            return worker_pb2.Worker.STATE_DRAINING
        if not self._worker.connected:
            return worker_pb2.Worker.STATE_LOST
        return worker_pb2.Worker.STATE_BUSY if self._worker.running else worker_pb2.Worker.STATE_READY

    def _attempt(self, name: str, one: Running) -> job_pb2.Attempt:
        created = Timestamp()
        created.FromDatetime(datetime.fromtimestamp(one.start_time, UTC))
        return job_pb2.Attempt(
            name=name,
            state=job_pb2.Attempt.STATE_RUNNING if one.run.running else job_pb2.Attempt.STATE_PREPARING,
            worker=f"workers/{self._name}",
            devices=[to_device(device) for device in one.run.work.devices],
            start_step=one.reporter.start_step,
            create_time=created,
        )
