"""TensorFlow Serving's REST API: `:predict` in row and column form, status and metadata."""

import base64
import json
import re
from typing import Any

import numpy as np
from google.protobuf import json_format
from google.protobuf.message import Message

from modelyard.api.serving.v1 import metadata_pb2, tensor_pb2
from modelyard.foundation import b64
from modelyard.foundation.asgi import HTTP_STATUS
from modelyard.foundation.errors import InvalidArgument, Kind, ModelyardError
from modelyard.modelserver import tensors
from modelyard.modelserver.errors import InvalidRequest, NotOffered, ServableNotFound
from modelyard.modelserver.models import Models, VersionStatus, Wanted
from modelyard.modelserver.predict import Engine, checked_inputs, signature_of
from modelyard.modelserver.servable import Array, Arrays, Signature, TensorSpec

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?(?P<rest>/metadata|:\w+)?"
)
_STATUS = {**HTTP_STATUS, Kind.PRECONDITION: 412, Kind.EXHAUSTED: 503}
"""Where TensorFlow Serving's answer differs from ours."""


class BodyNotJson(InvalidArgument):
    reason = "BODY_NOT_JSON"


class Rest:
    def __init__(self, models: Models, engine: Engine) -> None:
        self._models = models
        self._engine = engine

    async def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """HTTP status and JSON. Raises ModelyardError."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise ServableNotFound(f"Malformed request: {method} {path}")
        version = match["version"]
        wanted = Wanted(match["name"], int(version) if version else None, match["label"] or "")
        match (method, match["rest"]):
            case ("GET", None):
                return 200, _status_document(self._models.status(wanted))
            case ("GET", "/metadata"):
                return 200, self._metadata(wanted)
            case ("POST", ":predict"):
                return 200, await self._predict(wanted, body)
            case ("POST", ":classify" | ":regress"):
                raise NotOffered("only :predict is offered by this model server")
        raise ServableNotFound(f"Malformed request: {method} {path}")

    def refuse(self, error: ModelyardError) -> tuple[int, bytes]:
        return _STATUS[error.kind], json.dumps({"error": error.message}).encode()

    def _metadata(self, wanted: Wanted) -> bytes:
        servable = self._models.resolve(wanted)
        signatures = metadata_pb2.SignatureDefMap.FromString(servable.signature_def_map)
        document = {
            "model_spec": {"name": servable.name, "signature_name": "", "version": str(servable.version)},
            "metadata": {"signature_def": json.loads(_json(signatures))},
        }
        return json.dumps(document).encode()

    async def _predict(self, wanted: Wanted, body: bytes) -> bytes:
        servable = self._models.resolve(wanted)
        document = _document(body)
        signature = signature_of(servable, document.get("signature_name", ""))
        rows = "instances" in document
        inputs = _rows(signature, document["instances"]) if rows else _columns(signature, document["inputs"])
        outputs = await self._engine.run(servable, signature, checked_inputs(signature, inputs))
        answer = {"predictions": _to_rows(outputs)} if rows else {"outputs": _to_columns(outputs)}
        return json.dumps(answer).encode()


def _status_document(versions: list[VersionStatus]) -> bytes:
    statuses = [
        {
            "version": str(status.version),
            "state": status.state.name,
            "status": {"error_code": "UNKNOWN" if status.error else "OK", "error_message": status.error},
        }
        for status in versions
    ]
    return json.dumps({"model_version_status": statuses}, indent=1).encode()


def _json(message: Message) -> bytes:
    text = json_format.MessageToJson(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=1
    )
    return text.encode()


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BodyNotJson(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict) or ("instances" in document) == ("inputs" in document):
        raise InvalidRequest("the body has to be a JSON object with either 'instances' or 'inputs'")
    if not isinstance(document.get("signature_name", ""), str):
        raise InvalidRequest("'signature_name' has to be a string", field="signature_name")
    return document


def _rows(signature: Signature, instances: Any) -> Arrays:
    if not isinstance(instances, list) or not instances:
        raise InvalidRequest("'instances' has to be a list with at least one element", field="instances")
    if all(isinstance(row, dict) and row.keys() != {"b64"} for row in instances):
        names = instances[0].keys()
        if any(row.keys() != names for row in instances):
            raise InvalidRequest("every element of 'instances' needs the same keys", field="instances")
        return {key: _array(signature, key, [row[key] for row in instances]) for key in names}
    return {_only_input(signature): _array(signature, _only_input(signature), instances)}


def _columns(signature: Signature, inputs: Any) -> Arrays:
    if isinstance(inputs, dict) and inputs.keys() != {"b64"}:
        return {key: _array(signature, key, value) for key, value in inputs.items()}
    return {_only_input(signature): _array(signature, _only_input(signature), inputs)}


def _only_input(signature: Signature) -> str:
    names = list(signature.inputs)
    if len(names) != 1:
        raise InvalidRequest(f"the signature has the inputs {', '.join(sorted(names))}; name each one", field="inputs")
    return names[0]


def _array(signature: Signature, key: str, value: Any) -> Array:
    spec = signature.inputs.get(key)
    if spec is None:
        raise InvalidRequest(
            f'input "{key}" is not in the signature; it has {", ".join(sorted(signature.inputs))}',
            field=f"inputs.{key}",
        )
    return _strings(key, value) if spec.dtype == tensor_pb2.DT_STRING else _numbers(key, spec, value)


def _numbers(key: str, spec: TensorSpec, value: Any) -> Array:
    dtype = tensors.NUMPY[spec.dtype]
    try:
        array: Array = np.asarray(value)
    except ValueError:
        raise InvalidRequest(f'input "{key}" is not a rectangular tensor', field=f"inputs.{key}") from None
    fits = {"b": "b", "u": "iu", "i": "iu"}.get(dtype.kind, "iuf")
    if array.size and array.dtype.kind not in fits:
        raise InvalidRequest(
            f'input "{key}": the values are not of the type {tensors.dtype_name(spec.dtype)}', field=f"inputs.{key}"
        )
    if dtype.kind in "iu" and array.size:
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise InvalidRequest(
                f'input "{key}": {tensors.dtype_name(spec.dtype)} holds {limits.min} to {limits.max}, the values go '
                f"from {array.min()} to {array.max()}",
                field=f"inputs.{key}",
            )
    with np.errstate(over="ignore"):
        found: Array = array.astype(dtype)
    if (np.isinf(found) & np.isfinite(array)).any():
        raise InvalidRequest(
            f'input "{key}" has a number that does not fit {tensors.dtype_name(spec.dtype)}', field=f"inputs.{key}"
        )
    return found


def _strings(key: str, value: Any) -> Array:
    """Strings, or {"b64": …} for bytes, nested in lists."""
    flat: list[bytes] = []
    shape = _flatten(key, value, flat)
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _flatten(key: str, value: Any, flat: list[bytes]) -> tuple[int, ...]:
    if isinstance(value, list):
        shapes = {_flatten(key, item, flat) for item in value}
        if len(shapes) > 1:
            raise InvalidRequest(f'input "{key}" is not a rectangular tensor', field=f"inputs.{key}")
        return (len(value), *next(iter(shapes), ()))
    if isinstance(value, str):
        try:
            flat.append(value.encode())
        except UnicodeEncodeError:
            raise InvalidRequest(f'input "{key}" has half a character in it', field=f"inputs.{key}") from None
        return ()
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            flat.append(b64.decode(value["b64"]))
        except ValueError as error:
            raise InvalidRequest(f'input "{key}": b64 is not base64: {error}', field=f"inputs.{key}") from None
        return ()
    raise InvalidRequest(f'input "{key}" takes strings or {{"b64": …}}', field=f"inputs.{key}")


def _to_rows(outputs: Arrays) -> list[Any]:
    columns = {name: _plain(name, array) for name, array in outputs.items()}
    lengths = {len(column) if isinstance(column, list) else -1 for column in columns.values()}
    if len(lengths) != 1 or -1 in lengths:
        raise InvalidRequest(
            "the outputs have no common first dimension, so there are no rows; use the column format: 'inputs' in "
            "place of 'instances'"
        )
    if len(columns) == 1:
        only: list[Any] = next(iter(columns.values()))
        return only
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _to_columns(outputs: Arrays) -> Any:
    columns = {name: _plain(name, array) for name, array in outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _plain(name: str, array: Array) -> Any:
    """Bytes of an output whose name ends in `_bytes` as {"b64": …}, other strings as UTF-8."""
    if array.dtype.kind not in "OSU":
        return array.astype(np.float64 if array.dtype.kind not in "iub" else array.dtype).tolist()
    values = [_text(name, value) for value in array.ravel()]
    boxed = np.empty(len(values), object)
    boxed[:] = values
    return boxed.reshape(array.shape).tolist()


def _text(name: str, value: bytes) -> Any:
    if name.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode()}
    return value.decode(errors="replace")
