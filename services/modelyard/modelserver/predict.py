"""PredictionService over bytes: the same functions behind every front."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, TypeVar

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message

from modelyard.api.serving.v1 import metadata_pb2, model_pb2, predict_pb2
from modelyard.modelserver import media, tensors
from modelyard.modelserver.errors import InvalidRequest, NotOffered, SignatureNotFound
from modelyard.modelserver.models import Models, Wanted
from modelyard.modelserver.servable import DEFAULT_SIGNATURE, Array, Arrays, Servable, Signature

M = TypeVar("M", bound=Message)

READ_AT_ONCE = 1 << 20
"""Bytes of a request; a larger one is read in a thread, so that others, and the health, do not wait for it."""


class Engine(Protocol):
    """Where signatures run."""

    async def run(self, servable: Servable, signature: Signature, inputs: Arrays) -> Arrays: ...


class Ticket(Protocol):
    async def answer(self) -> bytes: ...


class Shortcut(Protocol):
    """Answers some requests without decoding them."""

    def submit(self, body: bytes) -> Ticket | None: ...


class Predictor:
    def __init__(self, models: Models, engine: Engine, shortcut: Shortcut | None = None) -> None:
        self._models = models
        self._engine = engine
        self._shortcut = shortcut

    async def predict(self, body: bytes) -> bytes:
        if self._shortcut is not None:
            ticket = self._shortcut.submit(body)
            if ticket is not None:
                return await ticket.answer()
        request = parse(predict_pb2.PredictRequest, body)
        servable = self._models.resolve(wanted(request.model_spec))
        return await self.predict_on(servable, request)

    async def predict_on(self, servable: Servable, request: predict_pb2.PredictRequest) -> bytes:
        signature = signature_of(servable, request.model_spec.signature_name)
        if request.ByteSize() > READ_AT_ONCE:
            inputs = await asyncio.to_thread(_inputs, signature, request)
        else:
            inputs = _inputs(signature, request)
        outputs = await self._engine.run(servable, signature, inputs)
        names = filtered(signature, list(request.output_filter))
        return response(servable, signature, {name: outputs[name] for name in names}).SerializeToString()

    async def warm(self, servable: Servable) -> None:
        """Answers the version's warm-up requests before it is available; raises what the first that fails raises."""
        for body in servable.warmup:
            await self.predict_on(servable, parse(predict_pb2.PredictRequest, body))

    async def metadata(self, body: bytes) -> bytes:
        request = parse(metadata_pb2.GetModelMetadataRequest, body)
        if not request.HasField("model_spec"):
            raise InvalidRequest("Missing ModelSpec", field="model_spec")
        if not request.metadata_field:
            raise InvalidRequest(
                "GetModelMetadataRequest must specify at least one metadata_field", field="metadata_field"
            )
        for name in request.metadata_field:
            if name != "signature_def":
                raise InvalidRequest(f"Metadata field {name} is not supported", field="metadata_field")
        servable = self._models.resolve(wanted(request.model_spec))
        answer = metadata_pb2.GetModelMetadataResponse(
            model_spec=model_pb2.ModelSpec(name=servable.name, version=model_pb2.Int64Value(value=servable.version)),
            metadata={
                "signature_def": any_pb2.Any(
                    type_url="type.googleapis.com/tensorflow.serving.SignatureDefMap", value=servable.signature_def_map
                )
            },
        )
        return answer.SerializeToString()


async def not_offered(method: str, body: bytes) -> bytes:
    raise NotOffered(f"{method} is not offered by this model server; call Predict with the signature's inputs")


def parse(message: type[M], body: bytes) -> M:
    try:
        return message.FromString(body)
    except DecodeError:
        raise InvalidRequest(f"the body is not a {message.DESCRIPTOR.name} message") from None


def wanted(spec: model_pb2.ModelSpec) -> Wanted:
    choice = spec.WhichOneof("version_choice")
    return Wanted(
        name=spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else "",
    )


def signature_of(servable: Servable, name: str) -> Signature:
    name = name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise SignatureNotFound(
            f'Serving signature key "{name}" not found. The model has {{{", ".join(sorted(servable.signatures))}}}.',
            field="model_spec.signature_name",
        )
    return signature


def _inputs(signature: Signature, request: predict_pb2.PredictRequest) -> Arrays:
    # Names first: a tensor of a few bytes may unpack to hundreds of megabytes.
    if extra := sorted(request.inputs.keys() - signature.inputs.keys()):
        raise InvalidRequest(_names_differ(signature, request.inputs), field=f"inputs.{extra[0]}")
    return checked_inputs(signature, {key: tensors.decode(key, value) for key, value in request.inputs.items()})


def checked_inputs(signature: Signature, given: Mapping[str, Array]) -> Arrays:
    """Every input of the signature, checked for dtype and shape, encoded files by their headers. Raises
    InvalidRequest."""
    inputs = {**signature.defaults, **given}
    if inputs.keys() != signature.inputs.keys():
        wrong = sorted(given.keys() - signature.inputs.keys()) or sorted(signature.inputs.keys() - inputs.keys())
        raise InvalidRequest(_names_differ(signature, given), field=f"inputs.{wrong[0]}")
    for key, array in inputs.items():
        spec = signature.inputs[key]
        have = tensors.DTYPE[array.dtype]
        if have != spec.dtype or not spec.accepts(array.shape):
            raise InvalidRequest(
                f'input "{key}": the signature takes {tensors.dtype_name(spec.dtype)} of shape {_listed(spec.shape)}, '
                f"the request has {tensors.dtype_name(have)} of shape {_listed(array.shape)}",
                field=f"inputs.{key}",
            )
        media.check(key, spec, array)
    return inputs


def _names_differ(signature: Signature, given: Mapping[str, object]) -> str:
    required = signature.inputs.keys() - signature.defaults.keys()
    return (
        f"input size does not match signature: {len(given)}!={len(signature.inputs)} "
        f"len({{{','.join(sorted(given))}}}) != len({{{','.join(sorted(signature.inputs))}}}). "
        f"Sent extra: {{{','.join(sorted(given.keys() - signature.inputs.keys()))}}}. "
        f"Missing but required: {{{','.join(sorted(required - given.keys()))}}}."
    )


def _listed(shape: tuple[int, ...] | None) -> str:
    return "any rank" if shape is None else "[" + ",".join(map(str, shape)) + "]"


def filtered(signature: Signature, output_filter: list[str]) -> list[str]:
    """Raises InvalidRequest for an output the signature does not have, or one asked for twice."""
    for position, name in enumerate(output_filter):
        if name not in signature.outputs:
            raise InvalidRequest(
                f"output tensor alias not found in signature: {name} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}.",
                field="output_filter",
            )
        if name in output_filter[:position]:
            raise InvalidRequest(f"duplicate output tensor alias: {name}", field="output_filter")
    return output_filter or list(signature.outputs)


def response(servable: Servable, signature: Signature, outputs: Arrays) -> predict_pb2.PredictResponse:
    return predict_pb2.PredictResponse(
        outputs={name: tensors.encode(array) for name, array in outputs.items()},
        model_spec=model_pb2.ModelSpec(
            name=servable.name,
            version=model_pb2.Int64Value(value=servable.version),
            signature_name=signature.name,
        ),
    )
