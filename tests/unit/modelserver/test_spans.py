"""The span reader against protobuf: it may decline, but never read differently."""

from hypothesis import given
from hypothesis import strategies as st

from modelyard.api.serving.v1 import model_pb2, predict_pb2, tensor_pb2
from modelyard.modelserver import spans
from tests.support.predict_corpus import corpus, field, varint


def usual(content: bytes = b"\1\2\3\4", **spec: object) -> predict_pb2.PredictRequest:
    dims = [tensor_pb2.TensorShape.Dim(size=size) for size in (1, 2, 2, 1)]
    tensor = tensor_pb2.Tensor(
        dtype=tensor_pb2.DT_UINT8, tensor_shape=tensor_pb2.TensorShape(dim=dims), tensor_content=content
    )
    spec_ = model_pb2.ModelSpec(name="digits", **spec)  # type: ignore[arg-type]
    return predict_pb2.PredictRequest(model_spec=spec_, inputs={"image": tensor})


def agrees(body: bytes) -> bool:
    """Whether the reader understood the body; asserts that protobuf understands the same."""
    found = spans.read(body)
    if found is None:
        return False
    request = predict_pb2.PredictRequest.FromString(body)
    spec = request.model_spec
    (key,) = request.inputs
    tensor = request.inputs[key]
    assert (found.name, found.signature_name, found.key) == (spec.name, spec.signature_name, key)
    assert found.version == (spec.version.value if spec.WhichOneof("version_choice") == "version" else None)
    assert not spec.version_label
    assert found.dtype == tensor.dtype
    assert list(found.shape) == [dim.size for dim in tensor.tensor_shape.dim]
    assert body[found.start : found.end] == tensor.tensor_content
    assert not request.output_filter
    assert not tensor.tensor_shape.unknown_rank
    return True


def test_the_usual_request_is_understood() -> None:
    assert agrees(usual().SerializeToString())
    assert agrees(usual(version=model_pb2.Int64Value(value=3), signature_name="s").SerializeToString())
    assert agrees(usual(b"x" * 100_000).SerializeToString())


def test_fields_in_any_order_are_understood() -> None:
    request = usual()
    spec = field(1, request.model_spec.SerializeToString())
    tensor = request.inputs["image"].SerializeToString()
    entry = field(2, field(2, tensor) + field(1, b"image"))
    assert agrees(entry + spec)


def test_merged_repeated_labelled_filtered_and_unknown_is_left_to_protobuf() -> None:
    body = usual().SerializeToString()
    for unusual in (
        body + field(1, usual().model_spec.SerializeToString()),
        body + field(1, model_pb2.ModelSpec(name="other").SerializeToString()),
        body + field(2, field(1, b"second")),
        body + field(3, b"probabilities"),
        body + field(15, b"unknown"),
        body[:-1],
        b"",
        usual(version_label="stable").SerializeToString(),
        usual(version=model_pb2.Int64Value()).SerializeToString(),
        predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits")).SerializeToString(),
    ):
        assert not agrees(unusual)


def test_lengths_that_claim_more_than_there_is_are_left_to_protobuf() -> None:
    body = bytearray(usual().SerializeToString())
    for position in range(len(body)):
        for value in (0, 1, 0x7F, 0x80, 0xFF):
            changed = bytes(body[:position]) + bytes([value]) + bytes(body[position + 1 :])
            agrees(changed)


def test_no_body_of_the_corpus_is_read_differently() -> None:
    for body in corpus():
        agrees(body)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_never_read_differently(body: bytes) -> None:
    agrees(body)


def message(contents: st.SearchStrategy[int | bytes]) -> st.SearchStrategy[bytes]:
    one = st.builds(_one_field, st.integers(1, 8), contents)
    return st.lists(one, max_size=5).map(b"".join)


def _one_field(number: int, content: int | bytes) -> bytes:
    return varint(number << 3) + varint(content) if isinstance(content, int) else field(number, content)


leaves = st.one_of(st.integers(0, 300), st.binary(max_size=6))
messages = message(st.one_of(leaves, message(st.one_of(leaves, message(leaves)))))


@given(messages)
def test_arbitrary_messages_are_never_read_differently(body: bytes) -> None:
    agrees(body)


@given(st.data())
def test_pieces_of_real_requests_in_any_arrangement_are_never_read_differently(data: st.DataObject) -> None:
    spec = usual(version=model_pb2.Int64Value(value=2), signature_name="s").model_spec.SerializeToString()
    tensor = usual().inputs["image"].SerializeToString()
    pieces = [
        field(1, spec),
        field(2, field(1, b"image") + field(2, tensor)),
        field(2, field(2, tensor) + field(1, b"image")),
        field(1, b""),
        field(2, field(1, b"image") + field(2, tensor + tensor)),
        field(3, b"x"),
    ]
    agrees(b"".join(data.draw(st.lists(st.sampled_from(pieces), max_size=4))))
