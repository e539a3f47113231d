"""What a host serves, seen from beside it."""

import io
from pathlib import Path

import numpy as np

from modelyard.api.serving.v1 import predict_pb2
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from tests.contract.modelhost.stack import Served


def golden(answer: float = 0.5) -> bytes:
    file = io.BytesIO()
    arrays = {
        "serving_default/inputs/image": np.zeros((8, 28, 28, 1), np.uint8),
        "serving_default/outputs/probabilities": np.full((8, 2), answer, np.float32),
        "labels": np.zeros(8, np.int64),
    }
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


async def predict(endpoint: str, name: str = "digits") -> predict_pb2.PredictResponse:
    async with connect(ChannelSettings(target=endpoint)) as channel:
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.inputs["image"].tensor_shape.dim.add(size=1)
        response: predict_pb2.PredictResponse = await call(request, timeout=20)
        return response


def socket_of(served: Served) -> Path:
    return Path(served.endpoint.removeprefix("unix:"))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
