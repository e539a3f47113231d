"""The one way to serve gRPC.

    server = Server(settings.listen, verifier=verifier, rules=RULES, metrics=RpcMetrics(registry))
    server.add(dataset_service_pb2_grpc.add_DatasetServiceServicer_to_server, DatasetServicer(…))
    await server.start()
    await server.serve_until_stopped(grace_s=settings.grace_s)

A method without a rule, or whose rule names a field that its request lacks, stops the process before it takes calls.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection_pb2_grpc
from grpc_reflection.v1alpha._async import ReflectionServicer

from modelyard.foundation.addresses import TcpAddress, UnixAddress, is_local, parse_listen
from modelyard.foundation.auth.policy import INSTALLATION, PUBLIC, Rule, Rules, scope_exists
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.config import ListenSettings
from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.rpc.binding import Edge, Streams, bind
from modelyard.foundation.rpc.limits import InFlight
from modelyard.foundation.rpc.shapes import MethodHandler
from modelyard.foundation.rpc.tls import server_credentials
from modelyard.foundation.telemetry.metrics import RpcMetrics

log = logging.getLogger(__name__)

HEALTH = "grpc.health.v1.Health"
REFLECTION_V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


Handlers = Mapping[str, MethodHandler]


class MethodWithoutRule(FailedPrecondition):
    reason = "METHOD_WITHOUT_RULE"


class RuleDoesNotFit(FailedPrecondition):
    reason = "RULE_DOES_NOT_FIT"


class CannotListen(FailedPrecondition):
    reason = "CANNOT_LISTEN"


@dataclass(frozen=True, slots=True)
class Limits:
    max_message_bytes: int = 4 * 1024 * 1024
    max_metadata_bytes: int = 16 * 1024
    max_calls: int = 1000
    """Calls being served at once, parked ones among them; the next is refused with RetryInfo."""
    max_streams_per_connection: int = 100
    unary_cap_s: float = 60.0
    max_connection_idle_s: float = 300.0
    max_connection_age_s: float = 1800.0
    max_connection_age_grace_s: float = 60.0


class Server:
    def __init__(
        self,
        listen: ListenSettings,
        *,
        verifier: Verifier,
        rules: Rules,
        limits: Limits = Limits(),
        metrics: RpcMetrics | None = None,
        quiet: Iterable[str] = (),
        reflection: bool = True,
    ) -> None:
        self._listen = listen
        self._rules = rules
        self._edge = Edge(
            verifier,
            InFlight(limits.max_calls),
            Streams(),
            metrics,
            limits.unary_cap_s,
            frozenset(quiet) | {f"/{HEALTH}/Check", f"/{HEALTH}/Watch"},
        )
        self._server = grpc.aio.server(options=server_options(limits))
        self._health = HealthServicer()
        self._services: list[str] = []
        self._reflection = reflection
        self.stopping = asyncio.Event()
        """Set when the drain begins: a parked call should answer now."""
        self.address = ""
        """Where it listens, with the port it got; set by `start`."""

    @property
    def services(self) -> tuple[str, ...]:
        """Full names of the services added."""
        return tuple(self._services)

    def add(self, add_to_server: Callable[[Any, Any], None], servicer: object) -> None:
        """Registers a servicer with the generated `add_…Servicer_to_server`."""
        add_to_server(servicer, _Registry(lambda service, handlers: self._add_methods(service, handlers, self._rules)))

    def add_generic(self, handler: grpc.GenericRpcHandler) -> None:
        """Registers a handler of raw bytes as it is: it brings its own edge (the proxy's prediction routes)."""
        self._server.add_generic_rpc_handlers((handler,))

    async def start(self) -> str:
        """Listens; returns the address. Every service reports SERVING."""
        self._add_own_services()
        self.address = self._bind()
        await self._server.start()
        for service in ("", *self._services):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        log.info("listening", extra={"address": self.address, "services": self._services})
        return self.address

    async def set_serving(self, serving: bool, service: str = "") -> None:
        """What health answers for `service`, "" for the whole process."""
        state = health_pb2.HealthCheckResponse
        await self._health.set(service, state.SERVING if serving else state.NOT_SERVING)

    async def stop(self, grace_s: float = 10.0, lead_s: float = 0.0) -> None:
        """Drains: health says NOT_SERVING, `lead_s` later no new calls, `grace_s` later those left are cancelled."""
        await self._health.enter_graceful_shutdown()
        if lead_s:
            await asyncio.sleep(lead_s)
        self.stopping.set()
        self._edge.streams.close()
        await self._server.stop(grace_s)
        _remove_socket(self._listen.listen)
        log.info("stopped", extra={"address": self.address})

    async def serve_until_stopped(self, grace_s: float = 10.0, lead_s: float = 0.0) -> None:
        """Returns after SIGTERM or SIGINT, drained; a second signal ends the grace."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        signals: list[signal.Signals] = []

        def asked(number: signal.Signals) -> None:
            signals.append(number)
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked, number)
        try:
            await stop.wait()
            log.info("stopping", extra={"signal": signals[0].name, "grace_s": grace_s})
            stop.clear()
            drained = asyncio.create_task(self.stop(grace_s, lead_s))
            again = asyncio.create_task(stop.wait())
            await asyncio.wait({drained, again}, return_when=asyncio.FIRST_COMPLETED)
            again.cancel()
            if not drained.done():
                await self._server.stop(0)
            await drained
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def _add_methods(self, service: str, handlers: Handlers, rules: Rules) -> None:
        bound = {}
        for name, handler in handlers.items():
            method = f"/{service}/{name}"
            rule = rules.get(method)
            if rule is None:
                raise MethodWithoutRule(f"{method} has no rule; say in the table of rules who may call it")
            _check_rule(service, name, rule)
            bound[name] = bind(method, handler, rule, self._edge)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, bound),))
        self._services.append(service)

    def _add_public(self, service: str, handlers: Handlers) -> None:
        self._add_methods(service, handlers, {f"/{service}/{name}": PUBLIC for name in handlers})

    def _add_own_services(self) -> None:
        described = [*self._services, HEALTH, REFLECTION_V1ALPHA]
        health_pb2_grpc.add_HealthServicer_to_server(self._health, _Registry(self._add_public))
        if self._reflection:
            servicer = ReflectionServicer(described)
            # v1 is v1alpha under another name: the same messages and numbers.
            for name in (REFLECTION_V1ALPHA, REFLECTION_V1):
                registry = _Registry(self._add_public, rename=name)
                reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, registry)

    def _bind(self) -> str:
        settings = self._listen
        address = parse_listen(settings.listen)
        if settings.tls_cert_file is None and not is_local(settings.listen):
            raise CannotListen(f"{settings.listen} can be reached from other machines and there is no TLS")
        try:
            if isinstance(address, UnixAddress):
                return self._bind_unix(address)
            return self._bind_tcp(address)
        except RuntimeError:
            raise CannotListen(
                f"cannot listen on {settings.listen}: it is in use, or this process may not", address=settings.listen
            ) from None

    def _bind_unix(self, address: UnixAddress) -> str:
        Path(address.path).parent.mkdir(parents=True, exist_ok=True)
        mask = os.umask(0o177)
        try:
            self._server.add_insecure_port(f"unix:{address.path}")
        finally:
            os.umask(mask)
        return str(address)

    def _bind_tcp(self, address: TcpAddress) -> str:
        credentials = server_credentials(self._listen)
        if credentials is None:
            port = self._server.add_insecure_port(str(address))
        else:
            port = self._server.add_secure_port(str(address), credentials)
        return str(TcpAddress(address.host, port))


def _remove_socket(listen: str) -> None:
    address = parse_listen(listen)
    if isinstance(address, UnixAddress):
        Path(address.path).unlink(missing_ok=True)


def server_options(limits: Limits) -> list[tuple[str, Any]]:
    """Channel arguments of every server, ours and the raw ones."""
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_send_message_length", limits.max_message_bytes),
        ("grpc.max_metadata_size", limits.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", 2 * limits.max_metadata_bytes),
        ("grpc.max_concurrent_streams", limits.max_streams_per_connection),
        ("grpc.max_connection_idle_ms", int(limits.max_connection_idle_s * 1000)),
        ("grpc.max_connection_age_ms", int(limits.max_connection_age_s * 1000)),
        ("grpc.max_connection_age_grace_ms", int(limits.max_connection_age_grace_s * 1000)),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.server_handshake_timeout_ms", 10_000),
    ]


class _Registry:
    """Stands in for a server in the generated `add_…_to_server` and passes its method handlers on."""

    def __init__(self, add: Callable[[str, Handlers], None], rename: str = "") -> None:
        self._add = add
        self._rename = rename

    def add_registered_method_handlers(self, service: str, handlers: Handlers) -> None:
        self._add(self._rename or service, handlers)

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """The same handlers once more, for servers that do not know the other call."""


def _check_rule(service: str, name: str, rule: Rule) -> None:
    if rule.public or rule.any_identity or rule.scope == INSTALLATION:
        return
    try:
        request = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name].input_type
    except KeyError:
        raise RuleDoesNotFit(
            f"/{service}/{name} is not described, so its scope {rule.scope!r} cannot be read"
        ) from None
    if not scope_exists(request, rule.scope):
        raise RuleDoesNotFit(f"/{service}/{name}: {request.name} has no text field {rule.scope!r}")
