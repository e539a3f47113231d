"""Which model server answers which request: pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from modelyard.foundation.ids import matches
from modelyard.proxy.errors import (
    BadRequest,
    DeploymentNotFound,
    LabelNotServed,
    NothingServes,
    RoutesUnknown,
    VersionNotServed,
)

DEFAULT_PROJECT = "default"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which servable a request means: `tensorflow.serving.ModelSpec`, as far as routing needs it."""

    name: str
    version: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """One model server."""

    version: int
    endpoint: str
    """`unix:/path` or `host:port`."""
    weight: int
    """Share of the requests that name no version."""


@dataclass(frozen=True, slots=True)
class Route:
    serving_name: str
    deployment: str
    """`projects/{p}/deployments/{d}`."""
    backends: tuple[Backend, ...] = ()
    message: str = ""
    """Why nothing answers, where nothing does."""

    @property
    def versions(self) -> tuple[int, ...]:
        """Newest first."""
        return tuple(sorted({backend.version for backend in self.backends}, reverse=True))


@dataclass(frozen=True, slots=True)
class RouteTable:
    routes: Mapping[str, Route] = field(default_factory=dict)
    """By serving name."""
    revision: int = -1
    """-1: nothing is known yet."""

    @property
    def known(self) -> bool:
        return self.revision >= 0

    @property
    def endpoints(self) -> frozenset[str]:
        return frozenset(backend.endpoint for route in self.routes.values() for backend in route.backends)


def table_of(routes: Iterable[Route], revision: int) -> RouteTable:
    return RouteTable({route.serving_name: route for route in routes}, max(revision, 0))


def deployment_of(serving_name: str) -> str:
    """`digits` -> `projects/default/deployments/digits`; `p.digits` -> `projects/p/deployments/digits`."""
    project, dot, deployment = serving_name.rpartition(".")
    name = f"projects/{project if dot else DEFAULT_PROJECT}/deployments/{deployment}"
    if not serving_name or not matches("projects/{project}/deployments/{deployment}", name):
        shown = ascii(serving_name[:80])
        raise BadRequest(
            f"model_spec.name must be a deployment's name like digits or project.digits; got {shown}",
            field="model_spec.name",
        )
    return name


def find(table: RouteTable, spec: ModelSpec) -> Route:
    """The route of a deployment whose caller may know that it exists."""
    route = table.routes.get(spec.name)
    if route is not None:
        return route
    if not table.known:
        raise RoutesUnknown("the proxy does not know yet what is deployed; try again in a moment")
    raise DeploymentNotFound(
        f"there is no deployment {spec.name}; `modelyard deployments list` shows those that there are",
        resource=deployment_of(spec.name),
    )


def choose(route: Route, spec: ModelSpec, draw: float, avoid: Collection[str] = ()) -> Backend:
    """The model server for a request; `draw` is uniform in [0, 1), `avoid` are endpoints that just failed."""
    if spec.label is not None:
        raise LabelNotServed(
            f"no version of {route.serving_name} has the label {spec.label[:80]!a}; "
            f"name a version ({_listed(route)}) or none",
            field="model_spec.version_label",
            resource=route.deployment,
        )
    if not route.backends:
        raise nothing_serves(route)
    if spec.version is not None:
        able = [backend for backend in route.backends if backend.version == spec.version]
        if not able:
            raise VersionNotServed(
                f"version {spec.version} of {route.serving_name} is not served; served: {_listed(route)}",
                field="model_spec.version",
                resource=route.deployment,
            )
        weights = [1] * len(able)
    else:
        able = [backend for backend in route.backends if backend.weight > 0]
        weights = [backend.weight for backend in able]
    if avoid:
        pairs = [(b, w) for b, w in zip(able, weights, strict=True) if b.endpoint not in avoid]
        able, weights = [b for b, _ in pairs], [w for _, w in pairs]
    if not able:
        raise nothing_serves(route)
    if len(able) == 1:
        return able[0]
    mark = draw * sum(weights)
    for backend, weight in zip(able, weights, strict=True):
        mark -= weight
        if mark < 0:
            return backend
    return able[-1]


def one_of_each_version(route: Route, spec: ModelSpec, draw: float) -> list[Backend]:
    """A model server for every version that the request may mean, newest first."""
    if spec.label is not None or spec.version is not None or not route.backends:
        return [choose(route, spec, draw)]
    return [choose(route, ModelSpec(spec.name, version), draw) for version in route.versions]


def nothing_serves(route: Route) -> NothingServes:
    why = route.message or "no model server is ready"
    return NothingServes(
        f"{route.serving_name} cannot answer now: {why}; try again in a moment", resource=route.deployment
    )


def _listed(route: Route) -> str:
    return ", ".join(str(version) for version in route.versions) or "none"
