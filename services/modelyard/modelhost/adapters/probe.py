"""Asking a model server how it is: by gRPC health, by TensorFlow Serving's own status, and by real examples."""

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelyard.api.serving.v1 import predict_pb2, status_pb2
from modelyard.modelhost.domain import CannotServe
from modelyard.modelhost.golden import Example

_CALL_TIMEOUT_S = 60.0
_POLL_S = 0.2
_WORTH_WAITING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.CANCELLED)


class Probe:
    def __init__(self, channel: grpc.aio.Channel, name: str, version: int) -> None:
        self._health = health_pb2_grpc.HealthStub(channel)
        self._status = channel.unary_unary(
            "/tensorflow.serving.ModelService/GetModelStatus",
            request_serializer=status_pb2.GetModelStatusRequest.SerializeToString,
            response_deserializer=status_pb2.GetModelStatusResponse.FromString,
        )
        self._predict = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        self._name = name
        self._version = version

    async def loaded(self) -> None:
        """Returns when the model is loaded; raises CannotServe when the server says that it never will be."""
        while True:
            try:
                async for answer in self._health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    await self._available()
                    return
                if error.code() not in _WORTH_WAITING:
                    raise CannotServe(f"the model server's health cannot be asked: {error.details()}") from error
            await asyncio.sleep(_POLL_S)

    async def _available(self) -> None:
        """For servers without gRPC health, as TensorFlow Serving's is unless told otherwise."""
        request = status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._name
        while True:
            try:
                response = await self._status(request, timeout=_CALL_TIMEOUT_S, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _WORTH_WAITING:
                    raise CannotServe(f"the model server's status cannot be asked: {error.details()}") from error
                response = status_pb2.GetModelStatusResponse()
            for seen in response.model_version_status:
                if seen.version != self._version:
                    continue
                if seen.state == status_pb2.ModelVersionStatus.AVAILABLE:
                    return
                if seen.state == status_pb2.ModelVersionStatus.END:
                    raise CannotServe(f"the model does not load: {seen.status.error_message or 'no reason was given'}")
            await asyncio.sleep(_POLL_S)

    async def answers(self, example: Example) -> None:
        """Raises CannotServe when it answers something else than when the version was made."""
        request = example.request(self._name, self._version)
        try:
            response = await self._predict(request, timeout=_CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise CannotServe(f"the model does not answer its own example: {error.details()}") from error
        wrong = example.difference(response)
        if wrong:
            raise CannotServe(f"the model is not what was deployed: {wrong}")
