"""The proxy's table."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from modelyard.inference.domain.deployments import Deployment, version_number
from modelyard.inference.domain.hosts import Served


@dataclass(frozen=True, slots=True)
class Backend:
    version: int
    endpoint: str
    weight: int
    """Its share of requests that name no version, from 0 to 100."""


@dataclass(frozen=True, slots=True)
class Route:
    serving_name: str
    deployment: str
    backends: tuple[Backend, ...] = ()
    message: str = ""
    """Why nothing answers."""


def route(deployment: Deployment, answering: Sequence[Served], *, lost: Sequence[Served]) -> Route:
    """`answering` share the requests evenly; without any, those of `lost` hosts are tried: a host that we do not hear
    may well hear the proxy."""
    chosen = answering or lost
    shares = _even(len(chosen))
    backends = tuple(
        Backend(version_number(served.model_version), served.endpoint, share)
        for served, share in zip(chosen, shares, strict=True)
    )
    return Route(deployment.serving_name, deployment.name, backends, "" if backends else deployment.message)


def fingerprint(routes: Sequence[Route]) -> str:
    """Equal for equal tables."""
    text = json.dumps([asdict(each) for each in routes], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _even(count: int) -> list[int]:
    """`count` whole numbers that differ by at most one and add up to 100."""
    return [100 * (i + 1) // count - 100 * i // count for i in range(count)]
