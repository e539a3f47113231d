"""HostService, for administrators, and HostSyncService, for the hosts themselves."""

from modelyard.api.inference.v1 import host_pb2, host_service_pb2, host_sync_service_pb2
from modelyard.api.inference.v1.host_service_pb2_grpc import HostServiceServicer
from modelyard.api.inference.v1.host_sync_service_pb2_grpc import HostSyncServiceServicer
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.errors import InvalidArgument, PermissionDenied
from modelyard.foundation.ids import parse
from modelyard.foundation.pages import PageTokens, clamp_page_size
from modelyard.inference.domain.hosts import HOST, Heartbeat, Served, ServedState
from modelyard.inference.service.fleet import Fleet
from modelyard.inference.servicers.messages import host_message

MAX_SERVED = 1000
MAX_TEXT = 1024


class NotThisHost(PermissionDenied):
    reason = "NOT_THIS_HOST"


class HostServicer(HostServiceServicer):
    def __init__(self, fleet: Fleet, tokens: PageTokens) -> None:
        self._fleet = fleet
        self._tokens = tokens

    async def ListHosts(
        self, request: host_service_pb2.ListHostsRequest, context: object
    ) -> host_service_pb2.ListHostsResponse:
        size = clamp_page_size(request.page_size)
        position = self._tokens.decode(request.page_token, parent="hosts")
        found = self._fleet.hosts(str(position[0]) if position else "", size + 1)
        more = len(found) > size
        token = self._tokens.encode([found[size - 1][0].name], parent="hosts") if more else ""
        hosts = [host_message(host, state) for host, state in found[:size]]
        return host_service_pb2.ListHostsResponse(hosts=hosts, next_page_token=token)

    async def DrainHost(self, request: host_service_pb2.DrainHostRequest, context: object) -> host_pb2.Host:
        parse(HOST, request.name)
        host, state = await self._fleet.drain(request.name, current_identity())
        return host_message(host, state)


class HostSyncServicer(HostSyncServiceServicer):
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def Sync(
        self, request: host_sync_service_pb2.SyncRequest, context: object
    ) -> host_sync_service_pb2.SyncResponse:
        parse(HOST, request.host, "host")
        caller = current_identity()
        if caller.subject != request.host and not caller.is_installation_admin:
            raise NotThisHost(
                f"the token is {caller.subject[:100]!a}'s; {request.host} needs one of its own", field="host"
            )
        orders = await self._fleet.sync(_heartbeat(request), request.cursor, request.max_wait.ToNanoseconds() / 1e9)
        assignments = [
            host_sync_service_pb2.HostAssignment(
                deployment=each.deployment,
                model_version=each.model_version,
                digest=each.digest,
                serving_name=each.serving_name,
                batching=each.batching,
                foreign=each.foreign,
                stopping=each.stopping,
            )
            for each in orders.assignments
        ]
        return host_sync_service_pb2.SyncResponse(assignments=assignments, cursor=orders.cursor)


def _heartbeat(request: host_sync_service_pb2.SyncRequest) -> Heartbeat:
    if not 1 <= len(request.instance_id) <= 64:
        raise InvalidArgument("instance_id must be a UUID made when the process started", field="instance_id")
    if len(request.served) > MAX_SERVED:
        raise InvalidArgument(f"served has more than {MAX_SERVED} entries", field="served")
    return Heartbeat(
        host=request.host,
        instance_id=request.instance_id,
        hostname=request.hostname[:MAX_TEXT],
        version=request.version[:MAX_TEXT],
        model_server=request.model_server[:MAX_TEXT],
        leaving=request.draining,
        served=tuple(_served(each) for each in request.served),
    )


def _served(reported: host_sync_service_pb2.ServedAssignment) -> Served:
    version = reported.served_version
    try:
        state = ServedState(version.state)
    except ValueError:
        raise InvalidArgument("a served version has no state", field="served.served_version.state") from None
    return Served(
        deployment=reported.deployment,
        model_version=version.model_version,
        state=state,
        message=version.message[:MAX_TEXT],
        endpoint=version.endpoint,
        batching=version.batching,
        memory_bytes=version.memory_bytes,
        restart_count=version.restart_count,
    )
