"""The embedded model server on a real SavedModel, seen by an unmodified TensorFlow Serving client."""

import base64
import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from tests.integration.modelserver import reference
from tests.integration.modelserver.reference import export, tf
from tests.support.model_server import Running, launch

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def direct(models: Path) -> Any:
    """The same SavedModel, loaded here."""
    return tf.saved_model.load(str(models / "1"))


def images(count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 1)).astype(np.uint8)


def request(signature: str = "", **inputs: Any) -> Any:
    made = reference.predict_pb2.PredictRequest()
    made.model_spec.name = "pets"
    made.model_spec.signature_name = signature
    for name, value in inputs.items():
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return made


def predict(server: Running, made: Any) -> dict[str, np.ndarray[Any, Any]]:
    stub = reference.prediction_service_pb2_grpc.PredictionServiceStub(server.channel)
    answer = stub.Predict(made, timeout=20)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("pets", 1)
    return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}


def test_an_unmodified_client_gets_what_tensorflow_computes(server: Running, direct: Any) -> None:
    for count in (1, 2, 33):
        batch = images(count, count)
        expected = direct.signatures["serving_default"](image=tf.constant(batch))["probabilities"].numpy()
        np.testing.assert_array_equal(predict(server, request(image=batch))["probabilities"], expected)


def test_many_callers_at_once_each_get_their_own_rows(server: Running, direct: Any) -> None:
    batch = images(200)
    expected = direct.signatures["serving_default"](image=tf.constant(batch))["probabilities"].numpy()

    def one(row: int) -> np.ndarray[Any, Any]:
        return predict(server, request(image=batch[row : row + 1]))["probabilities"][0]

    with ThreadPoolExecutor(16) as callers:
        answers = np.stack(list(callers.map(one, range(200))))
    np.testing.assert_allclose(answers, expected, rtol=1e-5, atol=1e-7)


def test_encoded_images_go_in_and_names_come_out(server: Running, direct: Any) -> None:
    batch = images(3)
    files = [tf.io.encode_png(image).numpy() for image in batch]
    answer = predict(server, request("encoded", image_bytes=files))
    expected = direct.signatures["serving_default"](image=tf.constant(batch))["probabilities"].numpy()
    np.testing.assert_allclose(answer["probabilities"], expected, rtol=1e-6)
    names = np.array([b"cat", b"dog", b"owl"], object)
    assert answer["label"].tolist() == names[expected.argmax(1)].tolist()


_NO_IMAGE = 'signature encoded: input "image_bytes": example 0 is no whole PNG, JPEG, WebP, GIF or BMP: '


def test_a_file_that_is_no_image_fails_alone(server: Running) -> None:
    good = tf.io.encode_png(images(1)[0]).numpy()

    def one(number: int) -> tuple[grpc.StatusCode, bool]:
        try:
            predict(server, request("encoded", image_bytes=[b"GARBAGE" if number % 4 == 0 else good]))
        except grpc.RpcError as error:
            return error.code(), _NO_IMAGE in (error.details() or "")
        return grpc.StatusCode.OK, True

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(one, range(40)))
    codes = [grpc.StatusCode.OK if number % 4 else grpc.StatusCode.INVALID_ARGUMENT for number in range(40)]
    assert answers == [(code, True) for code in codes]


def test_every_dtype_comes_back_as_it_is(server: Running, direct: Any) -> None:
    left = np.array([[1.5, -2.0], [0.25, 3.0]], np.float32)
    right = np.array([[1, -(1 << 40)], [3, 4]], np.int64)
    answer = predict(server, request("mixed", left=left, right=right))
    expected = direct.signatures["mixed"](left=tf.constant(left), right=tf.constant(right))
    assert answer.keys() == expected.keys()
    for name, value in expected.items():
        assert answer[name].dtype == value.dtype.as_numpy_dtype
        np.testing.assert_array_equal(answer[name], value.numpy())


def test_an_input_of_any_rank_is_taken(server: Running) -> None:
    answer = predict(server, request("ranks", anything=np.ones((2, 3, 4), np.float32)))
    assert (answer["rank"].tolist(), answer["total"].tolist()) == (3, 24.0)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (request(), "Missing but required: {image}"),
        (request(image=images(1).astype(np.float32)), "the signature takes DT_UINT8 of shape [-1,8,8,1]"),
        (request(image=images(1)[0]), "the request has DT_UINT8 of shape [8,8,1]"),
        (request("ranks", other=1.0), "Sent extra: {other}"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(server: Running, made: Any, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        predict(server, made)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert text in (caught.value.details() or "")


def test_metadata_unpacks_into_tensorflow_servings_own_message(server: Running, models: Path) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    asked = reference.get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    asked.model_spec.name = "pets"
    stub = reference.prediction_service_pb2_grpc.PredictionServiceStub(server.channel)
    found = reference.get_model_metadata_pb2.SignatureDefMap()
    assert stub.GetModelMetadata(asked, timeout=20).metadata["signature_def"].Unpack(found)
    saved = saved_model_pb2.SavedModel.FromString((models / "1" / "saved_model.pb").read_bytes())
    assert found.signature_def["serving_default"] == saved.meta_graphs[0].signature_def["serving_default"]
    assert sorted(found.signature_def) == ["encoded", "mixed", "ranks", "serving_default"]


def test_classify_says_that_it_is_not_offered(server: Running) -> None:
    stub = reference.prediction_service_pb2_grpc.PredictionServiceStub(server.channel)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Classify(reference.classification_pb2.ClassificationRequest(), timeout=20)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_rest_predicts_too(server: Running, direct: Any) -> None:
    batch = images(2)
    files = [{"b64": base64.b64encode(tf.io.encode_png(image).numpy()).decode()} for image in batch]
    expected = direct.signatures["serving_default"](image=tf.constant(batch))["probabilities"].numpy()
    plain = post(server, {"instances": batch.tolist()})
    np.testing.assert_allclose(plain["predictions"], expected, rtol=1e-6)
    encoded = post(server, {"signature_name": "encoded", "instances": files})
    np.testing.assert_allclose([row["probabilities"] for row in encoded["predictions"]], expected, rtol=1e-6)


def post(server: Running, document: object) -> Any:
    url = f"http://127.0.0.1:{server.rest_port}/v1/models/pets:predict"
    with urllib.request.urlopen(url, json.dumps(document).encode(), timeout=20) as answer:
        return json.loads(answer.read())


def test_the_log_is_json_a_line(server: Running) -> None:
    lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert {json.loads(line)["event"] for line in lines} >= {"serving", "version available"}


def test_models_come_and_go_by_reload(models: Path, tmp_path: Path) -> None:
    export(tmp_path / "other" / "5", seed=8)
    running = launch(
        tmp_path, f"--model_base_path={models}", "--model_name=pets", "--file_system_poll_wait_seconds=0", front="auto"
    )
    try:
        running.wait_ready()
        stub = reference.model_service.ModelServiceStub(running.channel)
        reload = reference.model_management_pb2.ReloadConfigRequest()
        reload.config.model_config_list.config.add(
            name="other",
            base_path=str(tmp_path / "other"),
            model_platform="tensorflow",
            version_labels={"stable": 5},
        )
        assert stub.HandleReloadConfigRequest(reload, timeout=60).status.error_code == 0
        asked = reference.get_model_status_pb2.GetModelStatusRequest()
        asked.model_spec.name = "other"
        asked.model_spec.version_label = "stable"
        (status,) = stub.GetModelStatus(asked, timeout=20).model_version_status
        assert (status.version, status.state) == (5, reference.get_model_status_pb2.ModelVersionStatus.AVAILABLE)
        with pytest.raises(grpc.RpcError) as caught:
            predict(running, request(image=images(1)))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        reload.config.model_config_list.config[0].base_path = "relative"
        with pytest.raises(grpc.RpcError) as caught:
            stub.HandleReloadConfigRequest(reload, timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        running.process.terminate()
        assert running.process.wait(20) == 0
        noise = [line for line in running.log.read_text().splitlines() if "Traceback" in line or "panicked" in line]
        assert noise == []
    finally:
        running.end()


@pytest.mark.parametrize("front", ["aio", "pyvoy"])
def test_a_warm_up_request_that_fails_keeps_the_version_out(tmp_path: Path, front: str) -> None:
    export(tmp_path / "m" / "1", warmup=[request(image=images(1)), request(image=images(1).astype(np.float32))])
    flags = (f"--model_base_path={tmp_path}/m", "--model_name=pets", "--max_num_load_retries=0")
    running = launch(tmp_path, *flags, front=front)
    try:
        assert running.process.wait(60) == 3
        assert "the request has DT_FLOAT" in running.log.read_text()
        running.end()
        running = launch(tmp_path, *flags, "--enable_model_warmup=false", front=front)
        running.wait_ready()
    finally:
        running.end()


def test_what_is_not_a_saved_model_is_said_in_a_sentence(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"\xffnot a model")
    flags = (f"--model_base_path={tmp_path}/m", "--model_name=pets")
    for more, path, text in (
        ((), tmp_path / "m", "is not a SavedModel"),
        (("--saved_model_tags=train",), models, "has no graph with the tags {train}; it has {serve}"),
    ):
        running = launch(tmp_path, flags[1], *more, f"--model_base_path={path}", front="aio")
        try:
            assert running.process.wait(60) == 3
            assert text in running.log.read_text()
        finally:
            running.end()
