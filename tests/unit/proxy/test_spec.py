"""The reader of model_spec agrees with protobuf on whatever protobuf accepts."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelyard.api.serving.v1 import model_pb2, predict_pb2, tensor_pb2
from modelyard.proxy.domain import ModelSpec
from modelyard.proxy.errors import BadRequest
from modelyard.proxy.spec import MAX_FIELDS, read_model_spec, read_task_specs


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))


def field(number: int, payload: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number(number_: int, value: int) -> bytes:
    return varint(number_ << 3) + varint(value & (1 << 64) - 1)


def by_protobuf(data: bytes) -> ModelSpec:
    spec = predict_pb2.PredictRequest.FromString(data).model_spec
    choice = spec.WhichOneof("version_choice")
    version = spec.version.value if choice == "version" else None
    return ModelSpec(spec.name, version, spec.version_label if choice == "version_label" else None)


def agree(data: bytes) -> None:
    """Where protobuf reads a spec, so do we, and the same; what it refuses we may refuse."""
    try:
        expected = by_protobuf(data)
    except DecodeError:
        try:
            read_model_spec(data)
        except BadRequest:
            return
        # It is the rest of the request that is broken; the model server will say so.
        return
    assert read_model_spec(data) == expected
    assert read_model_spec(b"12345" + data, 5) == expected


NAME, LABEL = field(1, b"digits"), field(4, b"stable")
HOSTILE = {
    "plain": field(1, NAME),
    "nothing": b"",
    "empty": field(1, b""),
    "twice, the last wins": field(1, NAME) + field(1, field(1, b"secret")),
    "merged over two": field(1, NAME) + field(1, field(2, number(1, 3))),
    "behind the inputs": field(2, field(1, b"image")) + field(1, NAME),
    "between inputs": field(1, NAME) + field(2, b"") + field(1, field(1, b"other")) + field(2, b""),
    "name twice in one": field(1, NAME + field(1, b"secret")),
    "name emptied": field(1, NAME + field(1, b"")),
    "version": field(1, NAME + field(2, number(1, 7))),
    "version zero by default": field(1, NAME + field(2, b"")),
    "version negative": field(1, NAME + field(2, number(1, -1))),
    "version of ten bytes": field(1, field(2, b"\x08" + b"\xff" * 9 + b"\x01")),
    "version twice": field(1, field(2, number(1, 7) + number(1, 8))),
    "version merged": field(1, field(2, number(1, 7)) + field(2, b"")),
    "version merged over two": field(1, field(2, number(1, 7))) + field(1, field(2, b"")),
    "version then label": field(1, field(2, number(1, 7)) + LABEL),
    "label then version": field(1, LABEL + field(2, number(1, 7))),
    "version, label, version": field(1, field(2, number(1, 7)) + LABEL + field(2, b"")),
    "empty label": field(1, field(2, number(1, 7)) + field(4, b"")),
    "signature": field(1, NAME + field(3, b"encoded")),
    "name as a number": field(1, number(1, 5) + NAME),
    "version as a number": field(1, NAME + number(2, 5)),
    "spec as a number": number(1, 5) + field(1, NAME),
    "spec as fixed64": b"\x09" + bytes(8) + field(1, NAME),
    "spec as fixed32": b"\x0d" + bytes(4) + field(1, NAME),
    "spec as a group": b"\x0b" + field(1, b"secret") + b"\x0c" + field(1, NAME),
    "spec in a group of another field": b"\x53" + field(1, field(1, b"secret")) + b"\x54" + field(1, NAME),
    "groups in groups": b"\x53\x5b" + field(1, b"secret") + b"\x5c\x54" + field(1, NAME),
    "a group not closed": field(1, NAME) + b"\x53",
    "a group closed by another": field(1, NAME) + b"\x53\x5c",
    "a group that was not open": field(1, NAME) + b"\x54",
    "field zero": field(1, NAME) + b"\x02\x00",
    "wire type six": field(1, NAME) + b"\x0e",
    "a tag of two bytes for one": b"\x8a\x00" + varint(len(NAME)) + NAME,
    "a tag of five bytes": b"\x8a\x80\x80\x80\x00" + varint(len(NAME)) + NAME,
    "a tag of six bytes": b"\x8a\x80\x80\x80\x80\x00" + varint(len(NAME)) + NAME,
    "a tag over 32 bits": b"\x8a\x80\x80\x80\x10" + varint(len(NAME)) + NAME,
    "a length of five bytes": b"\x0a" + bytes([len(NAME) | 0x80]) + b"\x80\x80\x80\x00" + NAME,
    "a length of ten bytes": b"\x0a" + bytes([len(NAME) | 0x80]) + b"\x80" * 8 + b"\x00" + NAME,
    "a length over the end": b"\x0a\x7f" + NAME,
    "a length of two gigabytes": b"\x0a\xff\xff\xff\xff\x0f" + NAME,
    "a negative length": b"\x0a" + b"\xff" * 9 + b"\x01" + NAME,
    "a name over the end of its spec": field(1, b"\x0a\x7fdigits") + bytes(200),
    "a number without end": field(1, NAME) + b"\x78" + b"\xff" * 11,
    "a number cut off": field(1, NAME) + b"\x78\xff",
    "fixed64 cut off": field(1, NAME) + b"\x79" + bytes(7),
    "not UTF-8": field(1, field(1, b"\xff\xfe")),
    "half of a surrogate": field(1, field(1, b"\xed\xa0\x80")),
    "overlong UTF-8": field(1, field(1, b"\xc0\x80")),
    "NUL": field(1, field(1, b"dig\x00its")),
    "unknown fields": b"".join(number(n, n) for n in range(5, 200)) + field(1, NAME) + field(536870911, b"x"),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_request_is_read_as_protobuf_reads_it(data: bytes) -> None:
    agree(data)


PIECES = st.one_of(
    st.sampled_from(
        [
            NAME,
            LABEL,
            field(1, b""),
            field(1, b"other"),
            field(2, number(1, 7)),
            field(2, b""),
            field(2, number(1, 7) + number(1, 8)),
            field(3, b"signature"),
            field(4, b""),
            number(1, 1),
            number(2, 1),
            b"\x53\x54",
            b"\x0b\x0c",
        ]
    ),
    st.binary(max_size=6),
)
SPECS = st.lists(PIECES, max_size=5).map(b"".join).map(lambda spec: field(1, spec))
REQUESTS = st.lists(st.one_of(SPECS, PIECES, st.binary(max_size=12)), max_size=5).map(b"".join)


@settings(max_examples=10 * settings().max_examples)
@given(REQUESTS)
@example(field(1, NAME) + field(1, field(1, b"secret")))
def test_whatever_protobuf_accepts_is_read_as_protobuf_reads_it(data: bytes) -> None:
    agree(data)


@settings(max_examples=3 * settings().max_examples)
@given(st.data())
def test_a_real_request_with_bytes_changed_is_read_as_protobuf_reads_it(data: st.DataObject) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="s"))
    request.model_spec.version.value = 300
    request.inputs["image"].CopyFrom(tensor_pb2.Tensor(dtype=tensor_pb2.DT_UINT8, tensor_content=b"1234"))
    raw = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(raw))


def test_millions_of_empty_fields_are_refused_without_looking_at_them_all() -> None:
    with pytest.raises(BadRequest, match=f"more than {MAX_FIELDS} fields"):
        read_model_spec(field(1, NAME) + b"\x2a\x00" * 1_000_000)
    with pytest.raises(BadRequest, match=f"more than {MAX_FIELDS} fields"):
        read_model_spec(field(1, field(3, b"") * 1_000_000))


def test_tasks_that_name_one_model_are_one_request() -> None:
    task = field(1, field(1, NAME) + field(2, b"tensorflow/serving/classify"))
    assert read_task_specs(task + task) == ModelSpec("digits")


def test_tasks_that_name_different_models_are_refused() -> None:
    mine, other = field(1, field(1, NAME)), field(1, field(1, field(1, b"secret")))
    with pytest.raises(BadRequest, match="all name the same model"):
        read_task_specs(mine + other)
    with pytest.raises(BadRequest, match="tasks is empty"):
        read_task_specs(b"")
