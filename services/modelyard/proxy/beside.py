"""The prediction path beside Envoy: the same functions on `grpc.aio`, and REST on uvicorn, on two unix sockets."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import uvicorn

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc import edge
from modelyard.foundation.rpc.binding import abort
from modelyard.foundation.rpc.server import Limits, server_options
from modelyard.foundation.rpc.shapes import Context, MethodHandler
from modelyard.foundation.rpc.status import DETAILS_KEY, code_number
from modelyard.proxy.adapters.grpc_upstream import GrpcUpstream
from modelyard.proxy.adapters.upstream import Upstream
from modelyard.proxy.domain import Backend
from modelyard.proxy.embedding import PEER_HEADER
from modelyard.proxy.envoy.clusters import FRONT_GRPC, FRONT_REST, front_socket
from modelyard.proxy.methods import METHODS, Method, Shape, not_offered
from modelyard.proxy.observed import observed
from modelyard.proxy.payload import Payload, too_large
from modelyard.proxy.rest import RestOverAsgi
from modelyard.proxy.runtime import Runtime, retire_s
from modelyard.proxy.service import OK, Call, Outcome, Predictions
from modelyard.proxy.settings import ProxySettings
from modelyard.proxy.spec import read_model_spec, read_task_specs

_FRAME_SPARE_BYTES = 1024


class Beside:
    """Start it before Envoy and stop it after."""

    def __init__(self, settings: ProxySettings) -> None:
        limits = settings.predictions
        upstream = GrpcUpstream(settings.backends, limits.max_message_bytes, retire_s(settings))
        self._settings = settings
        self._runtime = Runtime(settings, upstream)
        options = server_options(
            Limits(
                # One more than is accepted, so that it is us who refuse, in our words.
                max_message_bytes=limits.max_message_bytes + _FRAME_SPARE_BYTES,
                max_metadata_bytes=2 * 1024 * settings.connections.max_header_kib,
                max_streams_per_connection=limits.max_in_flight,
            )
        )
        self._grpc = grpc.aio.server(options=options)
        self._grpc.add_generic_rpc_handlers((GrpcBeside(self._runtime.predictions, upstream),))
        rest = RestOverAsgi(self._runtime.predictions, upstream, limits.max_json_bytes)
        self._rest = _Uvicorn(rest, front_socket(settings.run_dir, FRONT_REST))

    async def start(self) -> None:
        self._settings.run_dir.mkdir(parents=True, exist_ok=True)
        self._settings.run_dir.chmod(0o700)
        self._grpc.add_insecure_port(f"unix:{front_socket(self._settings.run_dir, FRONT_GRPC)}")
        await self._runtime.start()
        await self._grpc.start()
        await self._rest.start()

    async def stop(self, grace_s: float) -> None:
        await self._grpc.stop(grace_s)
        await self._rest.stop()
        await self._runtime.stop()


class GrpcBeside(grpc.GenericRpcHandler):
    def __init__(self, predictions: Predictions, upstream: Upstream) -> None:
        self._predictions = predictions
        self._upstream = upstream
        self._handlers: dict[str, MethodHandler] = {
            path: grpc.unary_unary_rpc_method_handler(self._bound(method)) for path, method in METHODS.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MethodHandler:
        path = handler_call_details.method
        return self._handlers.get(path) or grpc.unary_unary_rpc_method_handler(_refusing(path))

    def _bound(self, method: Method) -> Any:
        async def serve(message: bytes, context: Context) -> bytes:
            try:
                outcome = await self._answer(method, message, context)
            except ModelyardError as error:
                await abort(context, error)
                raise
            if outcome.code == OK:
                return outcome.payload.message
            details = ((DETAILS_KEY, outcome.details),) if outcome.details else ()
            await context.abort(_CODES.get(outcome.code, grpc.StatusCode.UNKNOWN), outcome.message, details)
            raise AssertionError("abort raises")

        return serve

    async def _answer(self, method: Method, message: bytes, context: Context) -> Outcome:
        metadata = context.invocation_metadata() or ()
        request_id = next((str(value) for key, value in metadata if key == "x-request-id"), "")
        predictions = self._predictions
        call = predictions.open(
            method, edge.bearer_token(metadata), context.time_remaining(), request_id, _peer(metadata, context)
        )
        with observed(predictions, call) as seen:
            outcome = await self._serve(call, method, message)
            seen.answered(outcome)
            call.bytes_out = len(outcome.payload)
            return outcome

    async def _serve(self, call: Call, method: Method, message: bytes) -> Outcome:
        predictions = self._predictions
        limit = predictions.max_message_bytes
        if len(message) > limit:
            raise too_large(len(message), limit)
        predictions.hold(call, len(message))
        spec = read_task_specs(message) if method.shape is Shape.TASKS else read_model_spec(message)
        predictions.admit(call, spec)
        payload = Payload(message, framed=False)

        async def send(backend: Backend, timeout_s: float) -> Outcome:
            return await self._upstream.unary(backend, method.path, payload, timeout_s, call.request_id)

        if method.shape is Shape.EACH_VERSION:
            return await predictions.gather(call, spec, send)
        return await predictions.forward(call, spec, send)


def _refusing(path: str) -> Any:
    async def serve(message: bytes, context: Context) -> bytes:
        error = not_offered(path)
        await abort(context, error)
        raise error

    return serve


def _peer(metadata: Any, context: Context) -> str:
    """Envoy is who connects; it says for whom."""
    return next((str(value) for key, value in metadata if key == PEER_HEADER), context.peer())


class _Uvicorn(uvicorn.Server):
    """On a unix socket; signals are the process's own business."""

    def __init__(self, app: RestOverAsgi, path: Path) -> None:
        super().__init__(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, http="h11", ws="none"))
        self._path = path
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self) -> None:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        listener.listen(128)
        self._task = asyncio.create_task(self.serve([listener]))

    async def stop(self) -> None:
        self.should_exit = True
        if self._task is not None:
            await self._task


_CODES = {code_number(code): code for code in grpc.StatusCode}
