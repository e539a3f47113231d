"""What runs on a data folder."""

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.local.folder import DataFolder

_PROCESSES = ("catalog", "scheduler", "inference", "proxy", "trainer", "modelhost")
_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Status:
    """One installation on this machine."""

    folder: str
    running: bool
    address: str = ""
    store: str = ""
    version: str = ""
    processes: tuple[tuple[str, str], ...] = ()
    """Name and `serving`, `not serving` or `not reachable`."""

    @property
    def healthy(self) -> bool:
        """Whether every process serves."""
        return all(state == "serving" for _, state in self.processes)

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self) | {"healthy": self.healthy}


def read_status(path: Path) -> Status:
    """Ask every process for its health."""
    folder = DataFolder(path)
    facts = folder.read_up()
    if facts is None:
        return Status(str(folder.root), running=False)
    run = folder.run_folder()
    targets = {name: f"unix:{run}/{name}.sock" for name in _PROCESSES} | {"proxy": facts["address"]}
    states = asyncio.run(_health(targets))
    return Status(
        str(folder.root), True, facts["address"], facts["store"]["title"], facts["version"], tuple(states.items())
    )


async def _health(targets: dict[str, str]) -> dict[str, str]:
    states = await asyncio.gather(*(_check(target) for target in targets.values()))
    return dict(zip(targets, states, strict=True))


async def _check(target: str) -> str:
    channel = connect(ChannelSettings(target=target))
    try:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return f"not reachable ({error.code().name})"
    finally:
        await channel.close()
    return "serving" if answer.status == health_pb2.HealthCheckResponse.SERVING else "not serving"
