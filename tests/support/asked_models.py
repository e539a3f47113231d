"""Deployments that answer at once: models of NumPy with the signatures of shipped templates, behind one address.

The model server's own checks stand in front of them; the control plane's answers are what the catalog would say.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from modelyard.api.catalog.v1 import model_pb2, model_service_pb2
from modelyard.api.inference.v1 import deployment_pb2, deployment_service_pb2
from modelyard.api.serving.v1 import metadata_pb2, predict_pb2
from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.foundation.errors import ModelyardError, NotFound, PermissionDenied, ResourceExhausted
from modelyard.foundation.rpc.status import code_of, to_status
from modelyard.modelserver import predict, tensors
from modelyard.modelserver.servable import Arrays, Servable, Signature, TensorSpec

DTYPES = {
    pb.DT_FLOAT: "float32",
    pb.DT_STRING: "string",
    pb.DT_UINT8: "uint8",
    pb.DT_INT32: "int32",
    pb.DT_BOOL: "bool",
}
ROWS = (-1,)
TEXTS, NUMBERS, TRUTHS = TensorSpec(pb.DT_STRING, ROWS), TensorSpec(pb.DT_FLOAT, ROWS), TensorSpec(pb.DT_BOOL, ROWS)
ONE_NUMBER = TensorSpec(pb.DT_INT32, ())
CLASSES = ("negative", "positive")
RATE = 8000


@dataclass(frozen=True, slots=True)
class Asked:
    """A model and what is known of it."""

    servable: Servable
    info: model_pb2.ModelInfo
    requests: list[predict_pb2.PredictRequest] = field(default_factory=list)
    """What was asked so far."""


def asked(
    name: str,
    ways: Mapping[str, tuple[Mapping[str, TensorSpec], Mapping[str, TensorSpec], Callable[[Arrays], Arrays]]],
    kinds: Mapping[str, model_pb2.InputMeaning],
    *,
    classes: Sequence[str] = (),
    row_wise: bool = True,
) -> Asked:
    signatures = {
        key: Signature(key, "tensorflow/serving/predict", inputs, outputs, {}, call)
        for key, (inputs, outputs, call) in ways.items()
    }
    described = metadata_pb2.SignatureDefMap()
    info = model_pb2.ModelInfo(row_wise=row_wise, classes=classes, inputs=kinds)
    for key, one in signatures.items():
        definition, message = described.signature_def[key], info.signatures.add(name=key)
        for said, told, specs in (
            (definition.inputs, message.inputs, one.inputs),
            (definition.outputs, message.outputs, one.outputs),
        ):
            for alias, spec in specs.items():
                shape = spec.shape or ()
                said[alias].dtype = spec.dtype  # type: ignore[assignment]
                said[alias].tensor_shape.dim.extend(pb.TensorShape.Dim(size=size) for size in shape)
                told.add(name=alias, dtype=DTYPES[spec.dtype], shape=shape)  # type: ignore[index]
    return Asked(Servable(name, 1, signatures, described.SerializeToString()), info)


def kinds_of(**kinds: str) -> dict[str, model_pb2.InputMeaning]:
    return {name: model_pb2.InputMeaning(kind=kind) for name, kind in kinds.items()}


def _classes(positive: Any) -> Arrays:
    share = np.asarray(positive, np.float32)
    labels = np.array([CLASSES[int(each > 0.5)].encode() for each in share], object)
    return {"probabilities": np.stack([1 - share, share], 1), "label": labels}


PROBABLE = {"probabilities": TensorSpec(pb.DT_FLOAT, (-1, 2)), "label": TEXTS}


def reviews(*, row_wise: bool = True) -> Asked:
    """The more exclamation marks, the better it is."""

    def default(inputs: Arrays) -> Arrays:
        return _classes([min(1.0, 0.25 + 0.25 * text.count(b"!")) for text in inputs["text"]])

    return asked(
        "reviews",
        {"serving_default": ({"text": TEXTS}, PROBABLE, default)},
        kinds_of(text="text"),
        classes=CLASSES,
        row_wise=row_wise,
    )


def heavy() -> Asked:
    """Answers of five rows and more are too large, and one of `huge` is so alone."""

    def default(inputs: Arrays) -> Arrays:
        if len(inputs["text"]) >= 5 or b"huge" in inputs["text"]:
            raise ResourceExhausted("the answer is too large; ask for less at once")
        return _classes([0.75] * len(inputs["text"]))

    ways = {"serving_default": ({"text": TEXTS}, PROBABLE, default)}
    return asked("heavy", ways, kinds_of(text="text"), classes=CLASSES)


def adult() -> Asked:
    """Whoever is over 40 and no clerk earns well; who has no age is 50 : 50."""

    def default(inputs: Arrays) -> Arrays:
        old = np.where(np.isnan(inputs["age"]), 0.5, inputs["age"] > 40)
        return _classes(np.where(inputs["job"] == b"clerk", 0.0, old))

    kinds = {
        "age": model_pb2.InputMeaning(kind="number"),
        "job": model_pb2.InputMeaning(kind="category", categories=["clerk", "cook"]),
        "native_country": model_pb2.InputMeaning(kind="category"),
    }
    inputs = {"age": NUMBERS, "job": TEXTS, "native_country": TEXTS}
    return asked("adult", {"serving_default": (inputs, PROBABLE, default)}, kinds, classes=CLASSES)


def movies() -> Asked:
    """Knows users 1 to 9."""

    def known(users: Any) -> Any:
        return np.array([user.isdigit() and 1 <= int(user) <= 9 for user in users])

    def recommend(inputs: Arrays) -> Arrays:
        count = int(inputs.get("k", np.int32(10)))
        items = [[b"m%d" % at for at in range(1, count + 1)] for _ in inputs["user"]]
        scores = np.tile(np.linspace(1, 0.5, count, dtype=np.float32), (len(items), 1))
        return {"items": np.array(items, object), "scores": scores, "known": known(inputs["user"])}

    def score(inputs: Arrays) -> Arrays:
        return {"rating": np.full(len(inputs["user"]), 3.5, np.float32), "known": known(inputs["user"])}

    listed = {"items": TensorSpec(pb.DT_STRING, (-1, -1)), "scores": TensorSpec(pb.DT_FLOAT, (-1, -1)), "known": TRUTHS}
    return asked(
        "movies",
        {
            "recommend": ({"user": TEXTS, "k": ONE_NUMBER}, listed, recommend),
            "score": ({"user": TEXTS, "item": TEXTS}, {"rating": NUMBERS, "known": TRUTHS}, score),
            "serving_default": ({"user": TEXTS}, listed, recommend),
        },
        kinds_of(user="user", item="item", k="number"),
    )


def digits() -> Asked:
    """The brighter, the higher; the files' first byte decides where it takes files."""

    def default(inputs: Arrays) -> Arrays:
        return {"probabilities": _classes(inputs["image"].mean((1, 2, 3)) / 255)["probabilities"]}

    def encoded(inputs: Arrays) -> Arrays:
        return _classes([float(len(data) % 2) for data in inputs["image_bytes"]])

    pixels = TensorSpec(pb.DT_UINT8, (-1, 8, 6, 1))
    return asked(
        "digits",
        {
            "serving_default": ({"image": pixels}, {"probabilities": PROBABLE["probabilities"]}, default),
            "encoded": ({"image_bytes": TEXTS}, PROBABLE, encoded),
        },
        kinds_of(image="image", image_bytes="image"),
        classes=CLASSES,
    )


def scenes() -> Asked:
    """Finds the same two things in every image."""

    def default(inputs: Arrays) -> Arrays:
        count = len(inputs["image"])
        boxes = np.tile(np.array([[4, 4, 20, 16], [30, 8, 44, 28], [-1, -1, -1, -1]], np.float32), (count, 1, 1))
        labels = np.tile(np.array([b"seven", b"one", b""], object), (count, 1))
        return {"boxes": boxes, "scores": np.tile(np.array([0.9, 0.6, 0], np.float32), (count, 1)), "labels": labels}

    outputs = {
        "boxes": TensorSpec(pb.DT_FLOAT, (-1, 3, 4)),
        "scores": TensorSpec(pb.DT_FLOAT, (-1, 3)),
        "labels": TensorSpec(pb.DT_STRING, (-1, 3)),
    }
    return asked("scenes", {"serving_default": ({"image": TEXTS}, outputs, default)}, kinds_of(image="image"))


def speech() -> Asked:
    """Loud is positive."""

    def default(inputs: Arrays) -> Arrays:
        return _classes(np.abs(inputs["audio"]).max(1))

    kinds = {"audio": model_pb2.InputMeaning(kind="audio", sample_rate=RATE, seconds=0.5)}
    samples = TensorSpec(pb.DT_FLOAT, (-1, RATE // 2))
    return asked("speech", {"serving_default": ({"audio": samples}, PROBABLE, default)}, kinds, classes=CLASSES)


def motions() -> Asked:
    """Bright is positive."""

    def default(inputs: Arrays) -> Arrays:
        return _classes(inputs["video"].mean((1, 2, 3, 4)) / 255)

    frames = TensorSpec(pb.DT_UINT8, (-1, 4, 16, 16, 3))
    ways = {"serving_default": ({"video": frames}, PROBABLE, default)}
    return asked("motions", ways, kinds_of(video="video"), classes=CLASSES)


class _Front(grpc.GenericRpcHandler):
    def __init__(self, models: Mapping[str, Asked], *, sees_control_plane: bool, keeps: bool) -> None:
        self._models = models
        self._sees = sees_control_plane
        self._keeps = keeps

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        called = handler_call_details.method.rpartition("/")[2]
        method: Any = {
            "GetDeployment": self._deployment,
            "GetModelVersion": self._version,
            "Predict": self._predict,
            "GetModelMetadata": self._metadata,
        }.get(called)

        async def answer(body: bytes, context: Any) -> bytes:
            try:
                return method(body).SerializeToString()  # type: ignore[no-any-return]
            except ModelyardError as error:
                details = ("grpc-status-details-bin", to_status(error).SerializeToString())
                await context.abort(code_of(error), error.message, (details,))
                raise

        return grpc.unary_unary_rpc_method_handler(answer) if method else None

    def _of(self, name: str) -> Asked:
        if name not in self._models:
            raise NotFound(f"there is no deployments/{name}")
        return self._models[name]

    def _deployment(self, body: bytes) -> deployment_pb2.Deployment:
        if not self._sees:
            raise PermissionDenied("a predictor does not see this")
        name = deployment_service_pb2.GetDeploymentRequest.FromString(body).name.rpartition("/")[2]
        self._of(name)
        version = f"projects/default/models/{name}/versions/1"
        return deployment_pb2.Deployment(name=f"projects/default/deployments/{name}", serving_version=version)

    def _version(self, body: bytes) -> model_pb2.ModelVersion:
        name = model_service_pb2.GetModelVersionRequest.FromString(body).name
        return model_pb2.ModelVersion(name=name, info=self._of(name.split("/")[3]).info)

    def _metadata(self, body: bytes) -> metadata_pb2.GetModelMetadataResponse:
        request = metadata_pb2.GetModelMetadataRequest.FromString(body)
        answer = metadata_pb2.GetModelMetadataResponse(model_spec=request.model_spec)
        answer.model_spec.version.value = 1
        answer.metadata["signature_def"].value = self._of(request.model_spec.name).servable.signature_def_map
        return answer

    def _predict(self, body: bytes) -> predict_pb2.PredictResponse:
        request = predict_pb2.PredictRequest.FromString(body)
        found = self._of(request.model_spec.name)
        if self._keeps:
            found.requests.append(request)
        signature = predict.signature_of(found.servable, request.model_spec.signature_name)
        given = {key: tensors.decode(key, value) for key, value in request.inputs.items()}
        return predict.response(found.servable, signature, signature.call(predict.checked_inputs(signature, given)))


@asynccontextmanager
async def answering(
    address: str, *models: Asked, sees_control_plane: bool = True, keep_requests: bool = True
) -> AsyncIterator[None]:
    """Serves the models, each under its own name; without the control plane as a predictor's token meets it."""
    server = grpc.aio.server()
    named = {each.servable.name: each for each in models}
    server.add_generic_rpc_handlers((_Front(named, sees_control_plane=sees_control_plane, keeps=keep_requests),))
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)
