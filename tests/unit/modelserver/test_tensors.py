import numpy as np
import pytest

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.modelserver import tensors
from modelyard.modelserver.errors import InvalidRequest
from tests.support.predict_corpus import shape


@pytest.mark.parametrize("number", tensors.NUMPY)
def test_every_dtype_survives_the_way_out_and_in(number: int) -> None:
    dtype = tensors.NUMPY[number]
    values = [[0, 1, 2], [3, 1, 0]]
    array = np.array([[str(value).encode() for value in row] for row in values] if dtype.hasobject else values, dtype)
    encoded = tensors.encode(array)
    back = tensors.decode("x", pb.Tensor.FromString(encoded.SerializeToString()))
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)
    if not dtype.hasobject:
        content = pb.Tensor(dtype=encoded.dtype, tensor_shape=shape(2, 3), tensor_content=array.tobytes())
        assert np.array_equal(tensors.decode("x", content), array)


def test_the_last_value_stands_for_the_rest() -> None:
    tensor = pb.Tensor(dtype=pb.DT_INT32, tensor_shape=shape(2, 2), int_val=[1, 7])
    assert tensors.decode("x", tensor).tolist() == [[1, 7], [7, 7]]
    text = pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape(3), string_val=[b"a"])
    assert tensors.decode("x", text).tolist() == [b"a", b"a", b"a"]


def test_no_value_means_zeros() -> None:
    assert tensors.decode("x", pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(2))).tolist() == [0, 0]
    assert tensors.decode("x", pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape(2))).tolist() == [b"", b""]


def test_a_string_keeps_its_trailing_zeros() -> None:
    assert tensors.decode("x", tensors.encode(np.array([b"a\0"], object))).tolist() == [b"a\0"]


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (pb.Tensor(), "DT_INVALID cannot be sent"),
        (pb.Tensor(dtype=pb.DT_RESOURCE), "DT_RESOURCE cannot be sent"),
        (pb.Tensor(dtype=99), "dtype 99 cannot be sent"),  # type: ignore[arg-type]
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(-1)), "needs every dimension"),
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=pb.TensorShape(unknown_rank=True)), "needs every dimension"),
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(1 << 62, 1 << 62)), "is more than the 256 MiB"),
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(*[1] * 65)), "is more than the 256 MiB"),
        (pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape(1 << 40), string_val=[b"x"]), "is more than the 256 MiB"),
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(2), tensor_content=b"1234"), "needs 8 bytes"),
        (pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape(4098), string_val=[b"x"]), "has 1; send every string"),
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(0, 1 << 62)), "is more than the 256 MiB"),
        (pb.Tensor(dtype=pb.DT_STRING, tensor_shape=shape(1), tensor_content=b"x"), "strings travel in string_val"),
        (pb.Tensor(dtype=pb.DT_FLOAT, tensor_shape=shape(1), float_val=[1, 2]), "has 1 elements, float_val has 2"),
    ],
)
def test_a_tensor_that_lies_is_refused_before_anything_is_allocated(tensor: pb.Tensor, text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        tensors.decode("x", tensor)
