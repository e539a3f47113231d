"""PredictRequests as bytes, from the usual to the hostile: what every reader of them has to survive."""

from collections.abc import Iterator

from modelyard.api.serving.v1 import model_pb2, predict_pb2, tensor_pb2


def varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def shape(*sizes: int) -> tensor_pb2.TensorShape:
    return tensor_pb2.TensorShape(dim=[tensor_pb2.TensorShape.Dim(size=size) for size in sizes])


def tensors() -> Iterator[tensor_pb2.Tensor]:
    """Every dtype, in both forms, whole, short (the last value repeats) and empty."""
    yield tensor_pb2.Tensor()
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(2, 2), float_val=[1, -0.0, 2.5, 3e38])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(2, 2), float_val=[1, 2])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(2, 2))
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(0, 2))
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(), float_val=[1])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(3), tensor_content=bytes(range(12)))
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_DOUBLE, tensor_shape=shape(3), double_val=[1, 2.5])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_DOUBLE, tensor_shape=shape(1), tensor_content=bytes(range(8)))
    for dtype in (tensor_pb2.DT_INT32, tensor_pb2.DT_INT16, tensor_pb2.DT_INT8):
        yield tensor_pb2.Tensor(dtype=dtype, tensor_shape=shape(4), int_val=[-1, 0, 127])
    for dtype in (tensor_pb2.DT_UINT8, tensor_pb2.DT_UINT16):
        yield tensor_pb2.Tensor(dtype=dtype, tensor_shape=shape(4), int_val=[255, 0, 1, 2])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_UINT8, tensor_shape=shape(1, 28, 28, 1), tensor_content=b"\7" * 784)
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_INT16, tensor_shape=shape(2), tensor_content=b"\1\2\3\4")
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_STRING, tensor_shape=shape(3), string_val=[b"a", b"\xff\0"])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_STRING, tensor_shape=shape(), string_val=[b""])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_STRING, tensor_shape=shape(2))
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_COMPLEX64, tensor_shape=shape(2), scomplex_val=[1, 2, 3, 4])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_COMPLEX128, tensor_shape=shape(2), dcomplex_val=[1, -2])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_INT64, tensor_shape=shape(2), int64_val=[-(1 << 63), (1 << 63) - 1])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_BOOL, tensor_shape=shape(3), bool_val=[True, False])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_BOOL, tensor_shape=shape(3), tensor_content=b"\0\1\1")
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_HALF, tensor_shape=shape(2), half_val=[0x3C00, 0xC000])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_BFLOAT16, tensor_shape=shape(2), half_val=[0x3F80, 0xC000])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_UINT32, tensor_shape=shape(2), uint32_val=[0, (1 << 32) - 1])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_UINT64, tensor_shape=shape(2), uint64_val=[0, (1 << 64) - 1])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT8_E5M2, tensor_shape=shape(2), float8_val=b"\x3c\xc0")
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_INT4, tensor_shape=shape(1), int_val=[1])
    yield tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_shape=tensor_pb2.TensorShape(unknown_rank=True))


def requests() -> Iterator[predict_pb2.PredictRequest]:
    """Requests that a client could make."""
    specs = [
        model_pb2.ModelSpec(name="digits"),
        model_pb2.ModelSpec(name="digits", version=model_pb2.Int64Value(value=3), signature_name="encoded"),
        model_pb2.ModelSpec(name="digits", version=model_pb2.Int64Value(value=(1 << 63) - 1)),
        model_pb2.ModelSpec(name="digits", version=model_pb2.Int64Value(value=-1)),
        model_pb2.ModelSpec(name="digits", version=model_pb2.Int64Value()),
        model_pb2.ModelSpec(name="digits", version_label="stable"),
        model_pb2.ModelSpec(name="z\u00fcrich.\u6570\u5b57"),
        model_pb2.ModelSpec(),
    ]
    every = list(tensors())
    for tensor in every:
        yield predict_pb2.PredictRequest(model_spec=specs[0], inputs={"image": tensor})
    for spec in specs:
        yield predict_pb2.PredictRequest(model_spec=spec, inputs={"image": every[12]})
    yield predict_pb2.PredictRequest()
    yield predict_pb2.PredictRequest(model_spec=specs[0])
    yield predict_pb2.PredictRequest(inputs={"image": every[1]})
    yield predict_pb2.PredictRequest(model_spec=specs[0], inputs={"a": every[1], "b": every[2], "": every[3]})
    yield predict_pb2.PredictRequest(model_spec=specs[0], inputs={"a": every[1]}, output_filter=["x", "y", "x"])


def corpus() -> Iterator[bytes]:
    """Bodies: valid ones, valid ones no client would make, and broken ones."""
    usual = [request.SerializeToString(deterministic=True) for request in requests()]
    yield from usual
    image = next(body for body in usual if len(body) > 784)
    spec = model_pb2.ModelSpec(name="digits").SerializeToString()
    tensor = tensor_pb2.Tensor(
        dtype=tensor_pb2.DT_FLOAT, tensor_shape=shape(2), tensor_content=bytes(8)
    ).SerializeToString()
    entry = field(2, field(1, b"image") + field(2, tensor))
    # The same message in pieces: occurrences merge, the last scalar wins, the last map entry of a key wins.
    yield field(1, spec) + field(1, field(3, b"encoded")) + entry
    yield field(1, spec) + entry + field(1, model_pb2.ModelSpec(name="other").SerializeToString())
    yield field(1, spec + field(1, b"other")) + entry
    yield field(1, field(2, b"\x08\x03") + field(4, b"label")) + entry
    yield field(1, field(4, b"label") + field(2, b"\x08\x03")) + entry
    yield field(1, field(2, b"\x08\x03") + field(2, b"")) + entry
    yield field(1, field(2, b"\x08\x03\x08\x04")) + entry
    yield entry + entry + field(1, spec)
    yield entry + field(2, field(1, b"image") + field(2, b"")) + field(1, spec)
    yield field(1, spec) + field(2, field(2, tensor))
    yield field(1, spec) + field(2, field(1, b"image"))
    yield field(1, spec) + field(2, b"")
    yield field(1, spec) + field(2, field(1, b"a") + field(1, b"image") + field(2, tensor))
    yield field(1, spec) + field(2, field(1, b"image") + field(2, tensor) + field(2, b"\x08\x04"))
    yield field(1, spec) + field(2, field(1, b"image") + field(2, tensor + field(4, bytes(4))))
    # Packed and unpacked values, alone and mixed.
    floats = b"\x08\x01" + field(2, field(2, b"\x08\x02"))
    unpacked = b"\x2d\0\0\x80\x3f\x2d\0\0\0\x40"
    yield field(1, spec) + field(2, field(1, b"image") + field(2, floats + unpacked))
    yield field(1, spec) + field(2, field(1, b"image") + field(2, floats + unpacked[:5] + field(5, unpacked[6:])))
    integers = b"\x08\x03" + field(2, field(2, b"\x08\x03"))
    yield field(1, spec) + field(2, field(1, b"image") + field(2, integers + b"\x38\x01" + field(7, b"\x02\x03")))
    # Fields that nobody reads, well-formed and not.
    for value in (
        field(15, b""),
        field(15, field(1, b"type")),
        field(15, b"x"),
        field(14, b"\x20\x07"),
        field(14, b"\x80"),
    ):
        yield field(1, spec) + field(2, field(1, b"image") + field(2, tensor + value))
    # Unknown fields of every wire type, everywhere.
    tag = {kind: varint(40 << 3 | kind) for kind in (0, 1, 3, 4, 5)}
    for unknown in (
        tag[0] + b"\x01",
        field(40, b"x"),
        tag[5] + bytes(4),
        tag[1] + bytes(8),
        tag[3] + b"\x08\x01" + tag[4],
    ):
        yield unknown + image
        yield image + unknown
        yield field(1, spec + unknown) + entry
        yield field(1, spec) + field(2, field(1, b"image") + field(2, tensor + unknown))
        yield field(1, spec) + field(2, field(1, b"image") + field(2, tensor) + unknown)
    # Overlong and over-wide varints, and a dtype nobody knows.
    yield b"\x0a" + b"\x88\x80\0" + spec + entry
    yield field(1, spec) + field(2, field(1, b"image") + field(2, b"\x08\x81\x80\x80\x80\x10" + tensor[2:]))
    yield field(1, spec) + field(2, field(1, b"image") + field(2, b"\x08\xff\xff\xff\xff\x0f" + tensor[2:]))
    yield field(1, spec) + field(2, field(1, b"image") + field(2, b"\x08\x63" + tensor[2:]))
    # Not UTF-8.
    yield field(1, field(1, b"\xff")) + entry
    yield field(1, spec) + field(2, field(1, b"\xff") + field(2, tensor))
    # Broken: cut anywhere, lengths that lie, groups without end, field 0.
    for cut in (1, 2, 5, 9, len(image) // 2, len(image) - 1):
        yield image[:cut]
    yield b"\x0a\xff\xff\xff\xff\x0f" + spec
    yield b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" + spec
    yield b"\x0a" + b"\x80" * 11
    yield b"\x02\x00"
    yield b"\x0b" + spec
    yield b"\x0c"
    yield image + b"\x0e\x01"
