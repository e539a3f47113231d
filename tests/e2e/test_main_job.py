"""The main job: data in, train, deploy, predict, with what a user types."""

import json
import shutil
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from modelyard.sdk import Client
from modelyard.sdk.tensors import rows
from tests.e2e.conftest import HELD_OUT, TRAINING_IMAGES, Trained
from tests.support.stack import Stack, plain_environment, write_digits

pytestmark = pytest.mark.timeout(300)


def post(url: str, body: dict[str, Any], token: str) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        result: dict[str, Any] = json.load(answer)
        return result


def test_a_training_job_ends_with_a_model_version_that_passed_its_gates(stack: Stack, trained: Trained) -> None:
    assert trained.job["state"] == "STATE_SUCCEEDED"
    assert trained.job["model_version"] == "projects/default/models/digits-image-classification/versions/1"
    assert trained.job["progress"]["metrics"]["val_accuracy"] > 0.8
    version = stack.json("models", "show", "digits-image-classification@1")
    assert version["state"] == "STATE_READY"
    gates = {gate["kind"] for gate in version["info"]["gates"]}
    assert gates == {"integrity", "signature", "ops", "warmup", "load", "parity", "row_wise"}
    assert all(gate["state"] == "STATE_PASSED" for gate in version["info"]["gates"])
    assert version["info"]["row_wise"] is True


def test_the_version_knows_which_data_and_which_attempt_made_it(stack: Stack, trained: Trained) -> None:
    with Client(stack.address, token=stack.token) as client:
        (execution,) = client.lineage.of(trained.job["model_version"], depth=1)[:1]
        assert [each.name for each in execution.inputs] == ["projects/default/datasets/digits/versions/1"]
        assert execution.consumer == trained.job["name"]
        assert [each.name for each in execution.outputs] == [trained.job["model_version"]]


def test_most_held_out_digits_are_recognised_through_the_proxy(stack: Stack, trained: Trained) -> None:
    with Client(stack.address, token=stack.token) as client:
        response = client.deployments.predict("digits", {"image": trained.images})
    answers = [max(range(10), key=row.__getitem__) for row in rows(response.outputs["probabilities"])]
    right = sum(answer == label for answer, label in zip(answers, trained.labels, strict=True))
    assert right > 0.8 * HELD_OUT
    assert response.model_spec.version.value == 1


def test_predict_prints_the_class_and_how_sure_it_is(stack: Stack, trained: Trained) -> None:
    line = stack.run("predict", "digits", "--image", str(trained.png)).stdout.strip()
    label, _, probability = line.partition(" ")
    assert label == str(trained.labels[0])
    assert 0.5 < float(probability.strip("()")) <= 1


def test_rest_gives_the_same_answer(stack: Stack, trained: Trained) -> None:
    url = f"http://{stack.address}/v1/models/digits:predict"
    answer = post(url, {"instances": trained.images[:2].tolist()}, stack.token)
    best = [max(range(10), key=row.__getitem__) for row in answer["predictions"]]
    assert best[0] == trained.labels[0]


def test_rest_without_a_token_is_refused_with_401(stack: Stack, trained: Trained) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"http://{stack.address}/v1/models/digits:predict", {"instances": []}, "")
    assert caught.value.code == 401
    assert "token" in json.load(caught.value)["error"]


def test_an_unmodified_tensorflow_serving_client_works(stack: Stack, trained: Trained) -> None:
    """In a process of its own: tensorflow_serving.apis imports TensorFlow."""
    code = """
import sys, grpc, numpy, tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
address, token, path = sys.argv[1:]
metadata = [("authorization", f"Bearer {token}")]
request = predict_pb2.PredictRequest()
request.model_spec.name = "digits"
request.inputs["image"].CopyFrom(tf.make_tensor_proto(numpy.load(path)))
with grpc.insecure_channel(address) as channel:
    answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, 30, metadata)
    status = get_model_status_pb2.GetModelStatusRequest(model_spec=request.model_spec)
    states = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(status, 30, metadata)
print(tf.make_ndarray(answer.outputs["probabilities"]).argmax(1)[0], answer.model_spec.version.value,
      states.model_version_status[0].state)
"""
    import numpy

    numpy.save(stack.home / "one.npy", trained.images[:1])
    done = subprocess.run(
        [sys.executable, "-c", code, stack.address, stack.token, str(stack.home / "one.npy")],
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(trained.labels[0]), "1", "30"]


def grpcurl(stack: Stack, *arguments: str, token: str | None = None) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("grpcurl") or shutil.which("grpcurl", path=str(Path.home() / "go" / "bin"))
    if program is None:
        pytest.skip("grpcurl is not installed (go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest)")
    header = ["-H", f"authorization: Bearer {stack.token if token is None else token}"]
    command = [program, "-plaintext", *header, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_grpcurl_sees_every_service_behind_the_one_address(stack: Stack) -> None:
    listed = grpcurl(stack, stack.address, "list").stdout.split()
    for service in (
        "modelyard.api.catalog.v1.DatasetService",
        "modelyard.api.scheduler.v1.JobService",
        "modelyard.api.inference.v1.DeploymentService",
        "tensorflow.serving.PredictionService",
    ):
        assert service in listed


def test_grpcurl_can_predict(stack: Stack, trained: Trained) -> None:
    import base64

    body = {
        "model_spec": {"name": "digits", "signature_name": "encoded"},
        "inputs": {
            "image_bytes": {
                "dtype": "DT_STRING",
                "tensor_shape": {"dim": [{"size": 1}]},
                "string_val": [base64.b64encode(trained.png.read_bytes()).decode()],
            }
        },
    }
    done = grpcurl(stack, "-d", json.dumps(body), stack.address, "tensorflow.serving.PredictionService/Predict")
    assert done.returncode == 0, done.stderr
    label = json.loads(done.stdout)["outputs"]["label"]["string_val"][0]
    assert base64.b64decode(label).decode() == str(trained.labels[0])


def test_what_show_grpc_prints_can_be_pasted(stack: Stack, trained: Trained) -> None:
    line = stack.run("jobs", "show", trained.job["name"].split("/")[-1], "--show-grpc").stderr.strip()
    assert line.startswith("grpcurl -plaintext -H")
    assert line.endswith(f"{stack.address} modelyard.api.scheduler.v1.JobService/GetJob")


def test_pushing_the_same_folder_again_sends_nothing(stack: Stack, trained: Trained) -> None:
    again = stack.json("datasets", "push", "digits", "digits")
    assert again["unchanged"] is True
    assert again["sent_bytes"] == 0
    assert again["version"] == "projects/default/datasets/digits/versions/1"


def test_pushing_one_more_image_sends_only_that(stack: Stack, trained: Trained) -> None:
    grown = stack.home / "grown"
    shutil.copytree(stack.home / "digits", grown)
    write_digits(grown, 1, start=TRAINING_IMAGES)
    pushed = stack.json("datasets", "push", "digits", "grown")
    assert pushed["version"].endswith("/versions/2")
    assert 0 < pushed["sent_bytes"] < 3000


def test_a_pulled_dataset_is_what_was_pushed(stack: Stack, trained: Trained) -> None:
    stack.run("datasets", "pull", "digits@1", "pulled")
    for path in sorted((stack.home / "digits").rglob("*.png"))[::100]:
        assert (stack.home / "pulled" / path.relative_to(stack.home / "digits")).read_bytes() == path.read_bytes()


def test_a_second_deploy_of_a_name_switches_without_a_failed_request(stack: Stack, trained: Trained) -> None:
    job = stack.json("train", "image-classification", "--dataset", "digits@1", "--set", "epochs=1", "--watch")
    failures, versions, stop = list[str](), set[int](), threading.Event()

    def ask() -> None:
        with Client(stack.address, token=stack.token) as client:
            while not stop.is_set():
                try:
                    answer = client.deployments.predict("digits", {"image": trained.images[:1]})
                    versions.add(answer.model_spec.version.value)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is a failed request
                    failures.append(str(error))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        deployment = stack.json("deploy", "digits", "--model", job["model_version"])
        with Client(stack.address, token=stack.token) as client:
            answer = client.deployments.predict("digits", {"image": trained.images[:1]})
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert failures == []
    assert deployment["serving_version"] == job["model_version"]
    assert answer.model_spec.version.value == 2
    assert versions == {1, 2}


def test_a_version_that_is_deployed_cannot_be_deleted(stack: Stack, trained: Trained) -> None:
    served = stack.json("deployments", "show", "digits")["deployment"]["serving_version"]
    name = f"digits-image-classification@{served.rpartition('/')[2]}"
    refused = stack.run("models", "delete", name, status=5)
    assert "STILL_NEEDED" in refused.stderr
    assert "deployments/digits" in refused.stderr
