"""Our wire messages against TensorFlow's own, over the hostile corpus."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import metadata_pb2, predict_pb2, status_pb2, tensor_pb2
from modelyard.foundation.errors import ModelyardError
from modelyard.modelserver import tensors
from tests.integration.modelserver import reference
from tests.integration.modelserver.reference import tf
from tests.support.predict_corpus import corpus
from tests.support.predict_corpus import tensors as corpus_tensors

pytestmark = pytest.mark.timeout(300)


def parsed(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError:
        return None


def same(ours: Any, theirs: Any, body: bytes) -> bool:
    """Both refuse the body, or both understand it and write the same bytes. Whether they understood it."""
    first, second = parsed(ours, body), parsed(theirs, body)
    assert (first is None) == (second is None), body
    if first is None:
        return False
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True), body
    return True


def test_requests_are_the_same_bytes() -> None:
    understood = [same(predict_pb2.PredictRequest, reference.predict_pb2.PredictRequest, body) for body in corpus()]
    assert sum(understood) > 60
    assert not all(understood)


def test_responses_are_the_same_bytes() -> None:
    for body in corpus():
        # A request's fields 1 and 2 are a response's 2 and 1 in content, so its bytes are a hostile response.
        same(predict_pb2.PredictResponse, reference.predict_pb2.PredictResponse, body)
    for tensor in corpus_tensors():
        response = predict_pb2.PredictResponse(outputs={"a": tensor, "b": tensor})
        response.model_spec.name = "digits"
        body = response.SerializeToString(deterministic=True)
        assert same(predict_pb2.PredictResponse, reference.predict_pb2.PredictResponse, body)


def test_status_messages_are_the_same_bytes() -> None:
    theirs = reference.get_model_status_pb2
    response = theirs.GetModelStatusResponse()
    for version, state in enumerate((0, 10, 20, 30, 40, 50)):
        response.model_version_status.add(version=version, state=state).status.error_code = version
        response.model_version_status[-1].status.error_message = "Zürich"
    assert same(
        status_pb2.GetModelStatusResponse, theirs.GetModelStatusResponse, response.SerializeToString(deterministic=True)
    )
    request = theirs.GetModelStatusRequest()
    request.model_spec.version.value = 3
    assert same(status_pb2.GetModelStatusRequest, theirs.GetModelStatusRequest, request.SerializeToString())


def test_metadata_messages_are_the_same_bytes(models: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    theirs = reference.get_model_metadata_pb2
    saved = saved_model_pb2.SavedModel.FromString((models / "1" / "saved_model.pb").read_bytes())
    described = theirs.SignatureDefMap(signature_def=saved.meta_graphs[0].signature_def)
    body = described.SerializeToString(deterministic=True)
    assert same(metadata_pb2.SignatureDefMap, theirs.SignatureDefMap, body)
    response = theirs.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(described)
    body = response.SerializeToString(deterministic=True)
    assert same(metadata_pb2.GetModelMetadataResponse, theirs.GetModelMetadataResponse, body)


def test_every_dtype_has_tensorflows_number() -> None:
    from tensorflow.core.framework import types_pb2

    theirs = {name: number for name, number in types_pb2.DataType.items() if not name.endswith("_REF")}
    assert dict(tensor_pb2.DataType.items()) == theirs


def test_tensors_are_read_as_tensorflow_reads_them() -> None:
    from tensorflow.core.framework import tensor_pb2 as theirs

    read = 0
    for tensor in corpus_tensors():
        try:
            ours = tensors.decode("x", tensor)
        except ModelyardError:
            continue
        expected = tf.make_ndarray(theirs.TensorProto.FromString(tensor.SerializeToString()))
        assert ours.dtype == expected.dtype
        if tensor.dtype == tensor_pb2.DT_STRING and not tensor.string_val:
            # TensorFlow itself makes empty byte strings of no values; its Python reader makes text.
            expected = np.full(expected.shape, b"", object)
        np.testing.assert_array_equal(ours, expected)
        read += 1
    assert read > 25


@pytest.mark.parametrize("number", tensors.NUMPY)
def test_tensors_are_written_so_that_tensorflow_reads_them(number: int) -> None:
    from tensorflow.core.framework import tensor_pb2 as theirs

    dtype = tensors.NUMPY[number]
    values = [[b"a", b"\xff\0"]] if dtype.hasobject else [[0, 1], [2, 3]]
    array = np.array(values, dtype)
    read = tf.make_ndarray(theirs.TensorProto.FromString(tensors.encode(array).SerializeToString()))
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    made = tf.make_tensor_proto(array).SerializeToString()
    np.testing.assert_array_equal(tensors.decode("x", tensor_pb2.Tensor.FromString(made)), array)
