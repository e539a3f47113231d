"""The inference service, as a host dials it."""

from collections.abc import Sequence

import grpc

from modelyard.api.inference.v1 import deployment_service_pb2, host_sync_service_pb2, host_sync_service_pb2_grpc
from modelyard.foundation.rpc.status import failure_of, to_error
from modelyard.modelhost.domain import Order, Report

MAX_WAIT_S = 10
_TIMEOUT_S = 20.0


class GrpcInference:
    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        host: str,
        instance_id: str,
        hostname: str,
        version: str,
        model_server: str,
    ) -> None:
        self._stub = host_sync_service_pb2_grpc.HostSyncServiceStub(channel)
        self._about = host_sync_service_pb2.SyncRequest(
            host=host, instance_id=instance_id, hostname=hostname, version=version, model_server=model_server
        )
        self._cursor = ""

    async def sync(self, reports: Sequence[Report], *, leaving: bool, wait: bool) -> list[Order]:
        request = host_sync_service_pb2.SyncRequest(
            served=map(self._served, reports), draining=leaving, cursor=self._cursor if wait else ""
        )
        request.MergeFrom(self._about)
        request.max_wait.seconds = MAX_WAIT_S if wait else 0
        try:
            answer = await self._stub.Sync(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise to_error(failure_of(error)) from error
        self._cursor = answer.cursor
        return [_order(each) for each in answer.assignments]

    def _served(self, report: Report) -> host_sync_service_pb2.ServedAssignment:
        return host_sync_service_pb2.ServedAssignment(
            deployment=report.order.deployment,
            served_version=deployment_service_pb2.ServedVersion(
                model_version=report.order.model_version,
                host=self._about.host,
                state=deployment_service_pb2.ServedVersion.State.ValueType(int(report.state)),
                message=report.message,
                endpoint=report.endpoint,
                batching=report.order.batching,
                memory_bytes=report.memory_bytes,
                restart_count=report.restart_count,
            ),
        )


def _order(assignment: host_sync_service_pb2.HostAssignment) -> Order:
    return Order(
        deployment=assignment.deployment,
        model_version=assignment.model_version,
        digest=assignment.digest,
        serving_name=assignment.serving_name,
        batching=assignment.batching,
        stopping=assignment.stopping,
        foreign=assignment.foreign,
    )
