"""Reads `model_spec` out of a request without decoding the rest, by protobuf's own rules.

Access is decided by what is read here and the model server answers by what protobuf reads there, so both must agree:
a field that occurs twice is merged and the last value wins, a member of a oneof clears the others, a field of another
wire type is unknown and skipped. What protobuf would not accept is refused. Wire format:
https://protobuf.dev/programming-guides/encoding
"""

from modelyard.proxy.domain import ModelSpec
from modelyard.proxy.errors import BadRequest

MAX_FIELDS = 10_000
"""Fields of a request on its top level; real ones have a few."""
_MAX_GROUPS = 100

Span = tuple[int, int]
_NAME, _VERSION, _LABEL = 1, 2, 4
_MODEL_SPEC, _TASKS = 1, 1


def read_model_spec(data: bytes, start: int = 0) -> ModelSpec:
    """Of a message whose field 1 is `model_spec`; `data[start:]` is the message."""
    return _merged(data, _spans(data, start, len(data), _MODEL_SPEC))


def read_task_specs(data: bytes, start: int = 0) -> ModelSpec:
    """Of a MultiInferenceRequest: its tasks (field 1) have a `model_spec` each (field 1), and all must be the same."""
    tasks = _spans(data, start, len(data), _TASKS)
    specs = {_merged(data, _spans(data, begin, end, _MODEL_SPEC)) for begin, end in tasks}
    if len(specs) != 1:
        raise BadRequest(
            "tasks must be there and all name the same model and version"
            if specs
            else "tasks is empty; name at least one",
            field="tasks",
        )
    return specs.pop()


def _spans(data: bytes, position: int, end: int, wanted: int) -> list[Span]:
    """Where the values of the length-delimited field `wanted` are, in order."""
    spans: list[Span] = []
    for _ in range(MAX_FIELDS):
        if position >= end:
            return spans
        tag = data[position]
        position += 1
        if tag & 0x80:
            tag, position = _tag(data, position - 1, end)
        if tag & 7 == 2:
            # Most of a request is in here: inputs, the tensor's bytes among them.
            length = data[position] if position < end else 0x80
            if length & 0x80:
                length, position = _varint(data, position, end)
            else:
                position += 1
            begin, position = position, position + length
            if position > end:
                raise _malformed()
            if tag >> 3 == wanted:
                spans.append((begin, position))
            elif tag < 8:
                raise _malformed()
        else:
            position = _skip(data, position, end, tag)
    raise BadRequest(f"the request has more than {MAX_FIELDS} fields on its top level")


def _merged(data: bytes, spans: list[Span]) -> ModelSpec:
    name, version, label = "", None, None
    for position, end in spans:
        for _ in range(MAX_FIELDS):
            if position >= end:
                break
            tag, position = _tag(data, position, end)
            if tag & 7 != 2:
                position = _skip(data, position, end, tag)
                continue
            length, position = _varint(data, position, end)
            begin, position = position, position + length
            if position > end:
                raise _malformed()
            number = tag >> 3
            if number == _NAME:
                name = _text(data[begin:position], "model_spec.name")
            elif number == _VERSION:
                version, label = _number(data, begin, position, version or 0), None
            elif number == _LABEL:
                version, label = None, _text(data[begin:position], "model_spec.version_label")
        else:
            raise BadRequest(f"model_spec has more than {MAX_FIELDS} fields")
    return ModelSpec(name, version, label)


def _number(data: bytes, position: int, end: int, value: int) -> int:
    """An Int64Value, merged into `value`."""
    for _ in range(MAX_FIELDS):
        if position >= end:
            return value
        tag, position = _tag(data, position, end)
        if tag == 8:
            raw, position = _varint(data, position, end)
            value = raw - (1 << 64) if raw >> 63 else raw
        else:
            position = _skip(data, position, end, tag)
    raise BadRequest(f"model_spec.version has more than {MAX_FIELDS} fields")


def _skip(data: bytes, position: int, end: int, tag: int) -> int:
    """The position behind the value of an unknown field."""
    open_groups: list[int] = []
    for _ in range(MAX_FIELDS):
        match tag & 7:
            case 0:
                _, position = _varint(data, position, end)
            case 1:
                position += 8
            case 2:
                length, position = _varint(data, position, end)
                position += length
            case 3:
                open_groups.append(tag >> 3)
                if len(open_groups) > _MAX_GROUPS:
                    raise _malformed()
            case 4:
                if not open_groups or open_groups.pop() != tag >> 3:
                    raise _malformed()
            case 5:
                position += 4
            case _:
                raise _malformed()
        if position > end:
            raise _malformed()
        if not open_groups:
            return position
        tag, position = _tag(data, position, end)
    raise _malformed()


def _tag(data: bytes, position: int, end: int) -> Span:
    """A field's number and wire type, and the position behind them."""
    tag, after = _varint(data, position, end)
    if tag >> 32 or not tag >> 3 or after - position > 5:
        raise _malformed()
    return tag, after


def _varint(data: bytes, position: int, end: int) -> Span:
    """A number of up to 64 bits, and the position behind it."""
    value = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                raise _malformed()
            return value, position
        shift += 7
        if shift >= 70:
            break
    raise _malformed()


def _text(value: bytes, field: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{field} is not UTF-8", field=field) from None


def _malformed() -> BadRequest:
    return BadRequest("the request is not a message of the type this method takes")
