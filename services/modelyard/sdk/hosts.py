"""Model hosts."""

from collections.abc import Iterator

from modelyard.api.inference.v1 import host_pb2, host_service_pb2, host_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.pages import every, lister


class Hosts:
    """The machines that run model servers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = host_service_pb2_grpc.HostServiceStub(connection.channel)

    def list(self) -> Iterator[host_pb2.Host]:
        """Every host."""
        request = host_service_pb2.ListHostsRequest()
        return every(lister(self._connection.call, self._stub.ListHosts, request, "hosts"))

    def drain(self, name: str) -> host_pb2.Host:
        """Give it no new deployments."""
        full = name if name.startswith("hosts/") else f"hosts/{name}"
        return self._connection.call(self._stub.DrainHost, host_service_pb2.DrainHostRequest(name=full))
