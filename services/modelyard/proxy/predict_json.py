"""TensorFlow Serving's predict request and answer in JSON, in both of its forms.

    rows     {"instances": [x, …]} or {"instances": [{"input": x, …}, …]}   ->  {"predictions": […]}
    columns  {"inputs": x} or {"inputs": {"input": x, …}}                   ->  {"outputs": …}

https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.api.serving.v1 import metadata_pb2, predict_pb2, tensor_pb2
from modelyard.layouts.strict_json import has_half_characters
from modelyard.proxy.domain import ModelSpec
from modelyard.proxy.errors import BadRequest, SignatureNotFound
from modelyard.proxy.json_tensors import from_tensor, is_bytes, nested, to_tensor

DEFAULT_SIGNATURE = "serving_default"
_KEYS = frozenset(("signature_name", "instances", "inputs"))


@dataclass(frozen=True, slots=True)
class JsonRequest:
    signature_name: str
    rows: bool
    value: Any
    """What stands under `instances` or `inputs`."""


def read_request(body: bytes) -> JsonRequest:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadRequest(f"the body is not JSON: {what}") from None
    if not isinstance(document, dict):
        raise BadRequest('the body must be an object with "instances" (rows) or "inputs" (columns)')
    if b"\\u" in body and has_half_characters(document):
        raise BadRequest("the body has half a character in it (a lone \\ud8xx)")
    unknown = document.keys() - _KEYS
    if unknown:
        raise BadRequest(f"unknown key {min(unknown)[:80]!a}; a request has {', '.join(sorted(_KEYS))}")
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise BadRequest("signature_name must be text", field="signature_name")
    rows = "instances" in document
    if rows == ("inputs" in document):
        raise BadRequest('the body must have either "instances" (rows) or "inputs" (columns)')
    if rows and not (isinstance(document["instances"], list) and document["instances"]):
        raise BadRequest("instances must be a list with at least one example", field="instances")
    return JsonRequest(name or DEFAULT_SIGNATURE, rows, document["instances" if rows else "inputs"])


def encode(request: JsonRequest, spec: ModelSpec, signature: metadata_pb2.SignatureDef) -> bytes:
    """The PredictRequest."""
    message = predict_pb2.PredictRequest()
    message.model_spec.name = spec.name
    message.model_spec.signature_name = request.signature_name
    if spec.version is not None:
        message.model_spec.version.value = spec.version
    for name, value, field in _columns(request, signature):
        if name not in signature.inputs:
            known = ", ".join(sorted(signature.inputs))
            raise BadRequest(f"the signature has no input {name[:80]!a}; its inputs: {known}", field=field)
        message.inputs[name].CopyFrom(to_tensor(value, signature.inputs[name].dtype, field))
    return message.SerializeToString()


def decode(answer: bytes, request: JsonRequest) -> bytes:
    """The JSON of a PredictResponse."""
    message = predict_pb2.PredictResponse.FromString(answer)
    document = {"predictions": _rows(message.outputs)} if request.rows else {"outputs": _whole(message.outputs)}
    return json.dumps(document).encode()


def signature_of(signatures: metadata_pb2.SignatureDefMap, name: str) -> metadata_pb2.SignatureDef:
    if name not in signatures.signature_def:
        # TensorFlow adds one of its own that cannot be called.
        known = ", ".join(sorted(key for key in signatures.signature_def if not key.startswith("__")))
        raise SignatureNotFound(f"there is no signature {name[:80]!a}; there are: {known}", field="signature_name")
    return signatures.signature_def[name]


def _columns(request: JsonRequest, signature: metadata_pb2.SignatureDef) -> Iterator[tuple[str, Any, str]]:
    """Input name, value, and where the value stands in the request."""
    value = request.value
    if not request.rows:
        if isinstance(value, dict) and not is_bytes(value):
            yield from ((name, item, f"inputs.{name}") for name, item in value.items())
        else:
            yield _only_input(signature, "inputs"), value, "inputs"
        return
    first = value[0]
    if not isinstance(first, dict) or is_bytes(first):
        yield _only_input(signature, "instances"), value, "instances"
        return
    for row, instance in enumerate(value):
        if not isinstance(instance, dict) or instance.keys() != first.keys():
            field = f"instances[{row}]"
            raise BadRequest(f"{field} must have the same names as instances[0]: {', '.join(first)}", field=field)
    for name in first:
        yield name, [instance[name] for instance in value], f"instances[].{name}"


def _only_input(signature: metadata_pb2.SignatureDef, field: str) -> str:
    if len(signature.inputs) != 1:
        names = ", ".join(sorted(signature.inputs))
        raise BadRequest(f"the signature has several inputs, so {field} must name them: {names}", field=field)
    return next(iter(signature.inputs))


def _rows(outputs: Mapping[str, tensor_pb2.Tensor]) -> list[Any]:
    columns: dict[str, list[Any]] = {}
    for name in sorted(outputs):
        shape, flat = from_tensor(outputs[name], name)
        if not shape:
            raise BadRequest(f'the output {name} has no rows; ask with "inputs" in place of "instances"')
        columns[name] = nested(shape, flat)
    if len({len(column) for column in columns.values()}) > 1:
        raise BadRequest('the outputs differ in their number of rows; ask with "inputs" in place of "instances"')
    if len(columns) == 1:
        return next(iter(columns.values()))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _whole(outputs: Mapping[str, tensor_pb2.Tensor]) -> Any:
    values = {name: nested(*from_tensor(outputs[name], name)) for name in sorted(outputs)}
    return next(iter(values.values())) if len(values) == 1 else values
