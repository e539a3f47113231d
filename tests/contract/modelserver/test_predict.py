"""PredictionService on both fronts, batched."""

import gzip
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from modelyard.api.serving.v1 import metadata_pb2, model_pb2, predict_pb2, tensor_pb2
from tests.contract.modelserver.conftest import Start, image, make_version, tensor
from tests.support.model_server import Running

PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture(scope="module")
def server(started: Start, front: str, tmp_path_factory: pytest.TempPathFactory) -> Running:
    base = tmp_path_factory.mktemp("models")
    make_version(base, 3, bias=0.5)
    return started(f"--model_base_path={base}", "--model_name=digits", "--enable_batching", front=front)


def refused(server: Running, request: predict_pb2.PredictRequest) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        server.predict(request)
    return caught.value.code(), caught.value.details() or ""


def test_an_answer_names_what_answered_and_has_plain_values(server: Running) -> None:
    answer = server.predict(image(2, value=5))
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("digits", 3)
    assert answer.model_spec.signature_name == "serving_default"
    assert list(answer.outputs["sums"].float_val) == [20.5, 5, 5, 20.5, 5, 5]
    assert [dim.size for dim in answer.outputs["sums"].tensor_shape.dim] == [2, 3]


def test_the_short_way_answers_the_bytes_that_protobuf_writes(server: Running) -> None:
    short = image(3, value=7)
    spelled = predict_pb2.PredictRequest()
    spelled.CopyFrom(short)
    spelled.inputs["image"].ClearField("tensor_content")
    spelled.inputs["image"].int_val.append(7)
    answers = [server.call(PREDICT, request.SerializeToString()) for request in (short, spelled)]
    assert answers[0] == answers[1]


def test_a_hundred_callers_each_get_their_own_answer(server: Running) -> None:
    def one(number: int) -> bool:
        rows, value = number % 3 + 1, number % 256
        sums = server.predict(image(rows, value)).outputs["sums"].float_val
        return list(sums) == [4 * value + 0.5, value, value] * rows

    with ThreadPoolExecutor(32) as callers:
        assert all(callers.map(one, range(600)))


def test_strings_and_several_outputs_travel(server: Running) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="encoded"))
    request.inputs["image_bytes"].CopyFrom(tensor(tensor_pb2.DT_STRING, (2,), string_val=[b"a\0", b"bcd"]))
    answer = server.predict(request)
    assert list(answer.outputs["label"].string_val) == [b"<a\0>", b"<bcd>"]
    assert list(answer.outputs["size"].float_val) == [2, 3]


def test_only_the_outputs_asked_for_are_sent(server: Running) -> None:
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name="digits", signature_name="two"), output_filter=["product"]
    )
    request.inputs["a"].CopyFrom(tensor(tensor_pb2.DT_FLOAT, (1,), float_val=[3.0]))
    request.inputs["b"].CopyFrom(tensor(tensor_pb2.DT_FLOAT, (1,), float_val=[2.0]))
    answer = server.predict(request)
    assert list(answer.outputs) == ["product"]
    assert list(answer.outputs["product"].double_val) == [6.0]


def test_an_input_with_a_default_may_be_left_out(server: Running) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="two"))
    request.inputs["a"].CopyFrom(tensor(tensor_pb2.DT_FLOAT, (1,), float_val=[3.0]))
    assert list(server.predict(request).outputs["sum"].float_val) == [4.0]


def test_a_signature_without_a_batch_dimension_works(server: Running) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="scalar"))
    request.inputs["x"].CopyFrom(tensor(tensor_pb2.DT_INT64, (), int64_val=[-4]))
    answer = server.predict(request).outputs["y"]
    assert (list(answer.int64_val), len(answer.tensor_shape.dim)) == ([-8], 0)


def test_no_rows_in_no_rows_out(server: Running) -> None:
    answer = server.predict(
        predict_pb2.PredictRequest(
            model_spec=model_pb2.ModelSpec(name="digits", signature_name="encoded"),
            inputs={"image_bytes": tensor(tensor_pb2.DT_STRING, (0,))},
        )
    )
    assert [dim.size for dim in answer.outputs["size"].tensor_shape.dim] == [0]


def test_a_bad_row_fails_its_own_request_only(server: Running) -> None:
    def one(text: bytes) -> grpc.StatusCode:
        request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="encoded"))
        request.inputs["image_bytes"].CopyFrom(tensor(tensor_pb2.DT_STRING, (1,), string_val=[text]))
        try:
            server.predict(request)
        except grpc.RpcError as error:
            code: grpc.StatusCode = error.code()
            return code
        return grpc.StatusCode.OK

    texts = [b"bad" if number % 5 == 0 else b"fine" for number in range(200)]
    with ThreadPoolExecutor(32) as callers:
        codes = list(callers.map(one, texts))
    assert codes == [grpc.StatusCode.INVALID_ARGUMENT if text == b"bad" else grpc.StatusCode.OK for text in texts]


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (image(1, name="nope"), grpc.StatusCode.NOT_FOUND, "Servable not found for request: Latest(nope)"),
        (
            image(1, version=model_pb2.Int64Value(value=9)),
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Specific(digits, 9)",
        ),
        (image(1, name=""), grpc.StatusCode.INVALID_ARGUMENT, "ModelSpec has no name specified."),
        (
            image(1, version_label="stable"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "Unrecognized servable version label: stable",
        ),
        (
            image(1, signature_name="nope"),
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "nope" not found.',
        ),
        (
            predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "input size does not match signature: 0!=1 len({}) != len({image}). Sent extra: {}. "
            "Missing but required: {image}.",
        ),
        (
            predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name="digits"),
                inputs={"image": tensor(tensor_pb2.DT_FLOAT, (1, 2, 2, 1), float_val=[1.0])},
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            'input "image": the signature takes DT_UINT8 of shape [-1,2,2,1], the request has DT_FLOAT of shape '
            "[1,2,2,1]",
        ),
        (
            predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name="digits"),
                inputs={"image": tensor(tensor_pb2.DT_UINT8, (1, 4), tensor_content=b"1234")},
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            'input "image": the signature takes DT_UINT8 of shape [-1,2,2,1], the request has DT_UINT8 of shape [1,4]',
        ),
        (
            predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name="digits"),
                inputs={"image": tensor(tensor_pb2.DT_UINT8, (1, 2, 2, 1), tensor_content=b"123")},
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            'input "image": shape [1, 2, 2, 1] needs 4 bytes, tensor_content has 3',
        ),
        (
            predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name="digits"),
                inputs={"image": tensor(tensor_pb2.DT_UINT8, (1 << 40, 2, 2, 1), int_val=[1])},
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            'input "image": shape [1099511627776, 2, 2, 1] is more than the 256 MiB that this server takes',
        ),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    server: Running, request_: predict_pb2.PredictRequest, code: grpc.StatusCode, text: str
) -> None:
    found, message = refused(server, request_)
    assert found is code
    assert message.startswith(text)


def test_an_unknown_output_is_named(server: Running) -> None:
    request = image(1)
    request.output_filter.append("nope")
    code, message = refused(server, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert message.startswith("output tensor alias not found in signature: nope")


def test_bytes_that_are_no_message_are_refused(server: Running) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        server.call(PREDICT, b"\xff\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_what_is_not_offered_says_so(server: Running) -> None:
    for method in ("Classify", "Regress", "MultiInference"):
        with pytest.raises(grpc.RpcError) as caught:
            server.call(f"/tensorflow.serving.PredictionService/{method}", b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert "call Predict" in (caught.value.details() or "")
    with pytest.raises(grpc.RpcError) as caught:
        server.call("/some.Service/Method", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_compressed_requests_are_read(server: Running) -> None:
    for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
        answer = server.predict(image(100, value=2), compression=compression)
        assert answer.outputs["sums"].float_val[0] == 8.5


def test_a_deadline_ends_the_wait(server: Running) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="slow"))
    request.inputs["seconds"].CopyFrom(tensor(tensor_pb2.DT_FLOAT, (1,), float_val=[0.5]))
    with pytest.raises(grpc.RpcError) as caught:
        server.predict(request, timeout=0.1)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_sixty_four_mebibytes_fit_and_one_byte_more_does_not(server: Running) -> None:
    limit = 64 << 20
    request = image(1)
    body = request.SerializeToString()
    # An unknown field of any size: 1 byte of tag + 4 of length.
    filler = limit - len(body) - 6
    padded = body + b"\xfa\x7d" + _length(filler) + bytes(filler)
    assert len(padded) == limit
    assert predict_pb2.PredictResponse.FromString(server.call(PREDICT, padded)).outputs["sums"].float_val[0] == 4.5
    padded = body + b"\xfa\x7d" + _length(filler + 1) + bytes(filler + 1)
    with pytest.raises(grpc.RpcError) as caught:
        server.call(PREDICT, padded)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert f"{limit + 1} vs. {limit}" in (caught.value.details() or "")
    assert server.predict(request).outputs["sums"].float_val[0] == 4.5


def _length(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, number >> 21])


def test_a_small_message_that_inflates_beyond_the_limit_is_refused(server: Running) -> None:
    request = image(1)
    bomb = request.SerializeToString() + b"\xfa\x7d" + _length(100 << 20) + bytes(100 << 20)
    assert len(gzip.compress(bomb)) < 1 << 20
    with pytest.raises(grpc.RpcError) as caught:
        server.call(PREDICT, bomb, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_describes_the_signatures(server: Running) -> None:
    path = "/tensorflow.serving.PredictionService/GetModelMetadata"
    request = metadata_pb2.GetModelMetadataRequest(
        model_spec=model_pb2.ModelSpec(name="digits"), metadata_field=["signature_def"]
    )
    answer = metadata_pb2.GetModelMetadataResponse.FromString(server.call(path, request.SerializeToString()))
    packed = answer.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    described = metadata_pb2.SignatureDefMap.FromString(packed.value)
    assert described.signature_def["serving_default"].inputs["image"].dtype == tensor_pb2.DT_UINT8
    assert answer.model_spec.version.value == 3
    for bad, text in (
        (metadata_pb2.GetModelMetadataRequest(), "Missing ModelSpec"),
        (metadata_pb2.GetModelMetadataRequest(model_spec=request.model_spec), "at least one metadata_field"),
        (
            metadata_pb2.GetModelMetadataRequest(model_spec=request.model_spec, metadata_field=["x"]),
            "Metadata field x is not supported",
        ),
    ):
        with pytest.raises(grpc.RpcError) as caught:
            server.call(path, bad.SerializeToString())
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert text in (caught.value.details() or "")


def test_a_caller_who_leaves_does_not_hold_up_the_others(server: Running) -> None:
    request = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(name="digits", signature_name="slow"))
    request.inputs["seconds"].CopyFrom(tensor(tensor_pb2.DT_FLOAT, (1,), float_val=[0.2]))
    with pytest.raises(grpc.RpcError):
        server.predict(request, timeout=0.05)
    assert np.isclose(server.predict(image(1)).outputs["sums"].float_val[0], 4.5)
