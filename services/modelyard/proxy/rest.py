"""TensorFlow Serving's REST API, translated to gRPC.

    POST /v1/models/{name}[/versions/{v}|/labels/{l}]:predict
    GET  /v1/models/{name}[/versions/{v}|/labels/{l}]               status
    GET  /v1/models/{name}[/versions/{v}|/labels/{l}]/metadata

https://www.tensorflow.org/tfx/serving/api_rest
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import grpc
from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import metadata_pb2, status_pb2
from modelyard.foundation import asgi
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc import edge
from modelyard.foundation.rpc.status import code_number
from modelyard.proxy.adapters.upstream import Upstream
from modelyard.proxy.asgi_types import Event, Headers, Receive, Send, peer, read_body
from modelyard.proxy.domain import Backend, ModelSpec
from modelyard.proxy.errors import BadAnswer, BadRequest
from modelyard.proxy.methods import GET_MODEL_METADATA, GET_MODEL_STATUS
from modelyard.proxy.model_json import metadata_json, read_signatures, status_json
from modelyard.proxy.observed import observed
from modelyard.proxy.payload import Payload, too_large
from modelyard.proxy.predict_json import decode, encode, read_request, signature_of
from modelyard.proxy.rest_path import Asked, parse
from modelyard.proxy.service import OK, Call, ClientGone, Outcome, Predictions, Refused

_JSON: Headers = [(b"content-type", b"application/json")]
_IN_THREAD_BYTES = 64 * 1024
_SIGNATURES = 256

P = ParamSpec("P")
T = TypeVar("T")


class RestOverAsgi:
    def __init__(self, predictions: Predictions, upstream: Upstream, max_json_bytes: int) -> None:
        self._predictions = predictions
        self._upstream = upstream
        self._limit = max_json_bytes
        self._signatures: OrderedDict[Backend, metadata_pb2.SignatureDefMap] = OrderedDict()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        try:
            status, headers, body = 200, _JSON, await self._answer(scope, receive)
        except ClientGone:
            return
        except Refused as refused:
            status, headers, body = http_status(refused.outcome.code), _JSON, _error(refused.outcome.message)
        except ModelyardError as error:
            status, headers, _ = asgi.http_answer(error)
            body = _error(error.message)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Event, receive: Receive) -> bytes:
        asked = parse(scope["method"], scope["path"])
        headers: Headers = list(scope["headers"])
        token = edge.bearer_token(asgi.metadata(pair for pair in headers if pair[0] == b"authorization"))
        request_id = (asgi.header(headers, b"x-request-id") or b"").decode("latin-1")
        call = self._predictions.open(asked.method, token, asgi.timeout_s(headers), request_id, peer(scope))
        with observed(self._predictions, call):
            self._predictions.admit(call, asked.spec)
            if asked.method is GET_MODEL_STATUS:
                body = await self._status(call, asked.spec)
            elif asked.method is GET_MODEL_METADATA:
                body = await self._metadata(call, asked.spec)
            else:
                body = await self._predict(call, asked, await self._body(call, headers, receive))
            call.bytes_out = len(body)
            return body

    async def _status(self, call: Call, spec: ModelSpec) -> bytes:
        request = status_pb2.GetModelStatusRequest()
        request.model_spec.name = spec.name
        if spec.version is not None:
            request.model_spec.version.value = spec.version

        async def send(backend: Backend, timeout_s: float) -> Outcome:
            return await self._unary(call, backend, GET_MODEL_STATUS.path, request.SerializeToString(), timeout_s)

        answer = _good(await self._predictions.gather(call, spec, send))
        return status_json(_read(status_pb2.GetModelStatusResponse, answer))

    async def _metadata(self, call: Call, spec: ModelSpec) -> bytes:
        async def send(backend: Backend, timeout_s: float) -> Outcome:
            return await self._unary(call, backend, *_metadata_request(backend, spec), timeout_s)

        answer = _good(await self._predictions.forward(call, spec, send))
        return metadata_json(_read(metadata_pb2.GetModelMetadataResponse, answer))

    async def _predict(self, call: Call, asked: Asked, body: bytes) -> bytes:
        request = await _run(len(body), read_request, body)

        async def send(backend: Backend, timeout_s: float) -> Outcome:
            end = time.monotonic() + timeout_s
            try:
                signatures = await self._signatures_of(call, backend, asked.spec, timeout_s)
            except Refused as refused:
                # Whether another server is asked is decided as for any answer.
                return refused.outcome
            signature = signature_of(signatures, request.signature_name)
            message = await _run(len(body), encode, request, asked.spec, signature)
            return await self._unary(call, backend, asked.method.path, message, max(0.001, end - time.monotonic()))

        answer = _good(await self._predictions.forward(call, asked.spec, send))
        return await _run(len(answer), decode, answer, request)

    async def _signatures_of(
        self, call: Call, backend: Backend, spec: ModelSpec, timeout_s: float
    ) -> metadata_pb2.SignatureDefMap:
        """What a served version takes and gives; it never changes, so it is asked for once."""
        known = self._signatures.get(backend)
        if known is None:
            answer = _good(await self._unary(call, backend, *_metadata_request(backend, spec), timeout_s))
            known = read_signatures(_read(metadata_pb2.GetModelMetadataResponse, answer))
            self._signatures[backend] = known
            if len(self._signatures) > _SIGNATURES:
                self._signatures.popitem(last=False)
        return known

    async def _unary(self, call: Call, backend: Backend, path: str, message: bytes, timeout_s: float) -> Outcome:
        return await self._upstream.unary(backend, path, Payload(message, framed=False), timeout_s, call.request_id)

    async def _body(self, call: Call, headers: Headers, receive: Receive) -> bytes:
        if asgi.header(headers, b"content-encoding") not in (None, b"identity"):
            raise BadRequest("compressed JSON is not read; send it plain, or use gRPC")

        def take(chunk: bytes, before: int) -> None:
            if before + len(chunk) > self._limit:
                raise too_large(before + len(chunk), self._limit)
            self._predictions.hold(call, len(chunk))

        return await read_body(call, receive, take)


def _good(outcome: Outcome) -> bytes:
    if outcome.code != OK:
        raise Refused(outcome)
    return outcome.payload.message


def _metadata_request(backend: Backend, spec: ModelSpec) -> tuple[str, bytes]:
    request = metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = spec.name
    request.model_spec.version.value = backend.version
    return GET_MODEL_METADATA.path, request.SerializeToString()


def _read(kind: type[T], answer: bytes) -> T:
    try:
        return kind.FromString(answer)  # type: ignore[attr-defined, no-any-return]
    except DecodeError:
        raise BadAnswer("the model server's answer cannot be read") from None


def http_status(number: int) -> int:
    """For a code that came from a model server."""
    codes = {code_number(code): code for code in grpc.StatusCode}
    return asgi.http_status_of(codes.get(number, grpc.StatusCode.UNKNOWN))


async def _run(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """In a thread when there is much to do, so that others need not wait."""
    if size < _IN_THREAD_BYTES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _error(message: str) -> bytes:
    return json.dumps({"error": message}).encode()
