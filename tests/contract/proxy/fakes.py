"""What stands around a proxy: small, but real grpc.aio servers on unix sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from modelyard.api.catalog.v1 import token_service_pb2
from modelyard.api.inference.v1 import route_service_pb2
from modelyard.api.serving.v1 import metadata_pb2, model_pb2, predict_pb2, status_pb2, tensor_pb2
from modelyard.foundation.rpc.shapes import Context, MethodHandler

LIST_REVOCATIONS = "/modelyard.api.catalog.v1.TokenService/ListRevocations"
WATCH_ROUTES = "/modelyard.api.inference.v1.RouteService/WatchRoutes"
PREDICT = "/tensorflow.serving.PredictionService/Predict"
METADATA = "/tensorflow.serving.PredictionService/GetModelMetadata"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"
SIGNATURE_MAP_TYPE = "type.googleapis.com/tensorflow.serving.SignatureDefMap"

Answer = Callable[[bytes, Context], Awaitable[bytes]]


class Fake(grpc.GenericRpcHandler):
    """Answers every unary method: with `answers[method]` where there is one, else with its own name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answers: dict[str, Answer] = {}
        self.streams: dict[str, Callable[[bytes, Context], AsyncIterator[bytes]]] = {}
        self.calls: list[str] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self._server: grpc.aio.Server | None = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> MethodHandler:
        method = handler_call_details.method
        self.calls.append(method)
        self.metadata.append(dict(handler_call_details.invocation_metadata or ()))
        if method in self.streams:
            return grpc.unary_stream_rpc_method_handler(self.streams[method])
        return grpc.unary_unary_rpc_method_handler(self.answers.get(method, self._named))

    async def _named(self, _: bytes, context: Context) -> bytes:
        return self.name.encode()

    async def start(self, address: str) -> None:
        self._server = self._new_server()
        self._server.add_insecure_port(address)
        await self._server.start()

    async def start_secure(self, address: str, credentials: grpc.ServerCredentials) -> int:
        """The port it got."""
        self._server = self._new_server()
        port: int = self._server.add_secure_port(address, credentials)
        await self._server.start()
        return port

    def _new_server(self) -> grpc.aio.Server:
        limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        server = grpc.aio.server(options=[*limit, ("grpc.so_reuseport", 0)])
        server.add_generic_rpc_handlers((self,))
        return server

    async def stop(self, grace_s: float = 0) -> None:
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None


class Catalog(Fake):
    def __init__(self) -> None:
        super().__init__("catalog")
        self.revoked: list[str] = []
        self.answers[LIST_REVOCATIONS] = self._list

    async def _list(self, _: bytes, context: Context) -> bytes:
        return token_service_pb2.ListRevocationsResponse(token_ids=self.revoked, cursor="1").SerializeToString()


class Inference(Fake):
    """Its routes are what the test says."""

    def __init__(self) -> None:
        super().__init__("inference")
        self.streams[WATCH_ROUTES] = self._watch
        self._table = route_service_pb2.RouteTable()
        self._changed = asyncio.Condition()

    async def publish(self, *routes: route_service_pb2.Route) -> int:
        """The revision of the new table."""
        async with self._changed:
            self._table = route_service_pb2.RouteTable(routes=routes, revision=self._table.revision + 1)
            self._changed.notify_all()
        return self._table.revision

    async def _watch(self, _: bytes, context: Context) -> AsyncIterator[bytes]:
        sent = -1
        while True:
            async with self._changed:
                while self._table.revision == sent:
                    await self._changed.wait()
                table = self._table
            sent = table.revision
            yield table.SerializeToString()


class ModelServer(Fake):
    """Answers a Predict with its inputs, under its own version."""

    def __init__(self, version: int, model: str = "digits") -> None:
        super().__init__(f"{model}/{version}")
        self.version = version
        self.model = model
        self.requests: list[bytes] = []
        self.time_remaining: list[float | None] = []
        self.answers |= {PREDICT: self.predict, METADATA: self._metadata, STATUS: self._status}
        self.delay_s = 0.0
        self.refusal: tuple[grpc.StatusCode, str, Any] | None = None

    async def predict(self, data: bytes, context: Context) -> bytes:
        self.requests.append(data)
        self.time_remaining.append(context.time_remaining())
        await asyncio.sleep(self.delay_s)
        if self.refusal is not None:
            await context.abort(*self.refusal)
        request = predict_pb2.PredictRequest.FromString(data)
        answer = predict_pb2.PredictResponse(model_spec=self._spec(request.model_spec.signature_name))
        for name, tensor in request.inputs.items():
            answer.outputs[name].CopyFrom(tensor)
        return answer.SerializeToString()

    async def _metadata(self, _: bytes, context: Context) -> bytes:
        signatures = metadata_pb2.SignatureDefMap()
        scores = signatures.signature_def["serving_default"]
        scores.method_name = "tensorflow/serving/predict"
        scores.inputs["image"].dtype = tensor_pb2.DT_FLOAT
        scores.outputs["probabilities"].dtype = tensor_pb2.DT_FLOAT
        both = signatures.signature_def["both"]
        both.inputs["count"].dtype = tensor_pb2.DT_INT64
        both.inputs["text"].dtype = tensor_pb2.DT_STRING
        answer = metadata_pb2.GetModelMetadataResponse(model_spec=self._spec(""))
        answer.metadata["signature_def"].type_url = SIGNATURE_MAP_TYPE
        answer.metadata["signature_def"].value = signatures.SerializeToString()
        return answer.SerializeToString()

    async def _status(self, _: bytes, context: Context) -> bytes:
        answer = status_pb2.GetModelStatusResponse()
        answer.model_version_status.add(version=self.version, state=status_pb2.ModelVersionStatus.AVAILABLE)
        return answer.SerializeToString()

    def _spec(self, signature: str) -> model_pb2.ModelSpec:
        version = model_pb2.Int64Value(value=self.version)
        return model_pb2.ModelSpec(name=self.model, version=version, signature_name=signature)
