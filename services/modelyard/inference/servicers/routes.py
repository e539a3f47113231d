"""RouteService, for the proxies."""

from collections.abc import AsyncIterator

from modelyard.api.inference.v1 import route_service_pb2 as pb
from modelyard.api.inference.v1.route_service_pb2_grpc import RouteServiceServicer
from modelyard.inference.domain.routes import Route
from modelyard.inference.service.fleet import Fleet


class RouteServicer(RouteServiceServicer):
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def WatchRoutes(self, request: pb.WatchRoutesRequest, context: object) -> AsyncIterator[pb.RouteTable]:
        async for snapshot in self._fleet.watch_routes():
            yield pb.RouteTable(routes=map(_route, snapshot.routes), revision=snapshot.revision)


def _route(route: Route) -> pb.Route:
    return pb.Route(
        serving_name=route.serving_name,
        deployment=route.deployment,
        backends=[
            pb.Backend(version=backend.version, endpoint=backend.endpoint, weight=backend.weight)
            for backend in route.backends
        ],
        message=route.message,
    )
