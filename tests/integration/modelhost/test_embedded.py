"""A host with the model server that comes with modelyard: TensorFlow, a SavedModel and real answers."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.modelhost.golden import examples
from tests.contract.modelhost.stack import Installation, Served, installed, version_name
from tests.support.saved_model import saved_model
from tests.support.servers import Issuers

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return saved_model(tmp_path_factory.mktemp("model") / "saved")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def installation(short_folder: Path, issuers: Issuers) -> AsyncIterator[Installation]:
    async with installed(short_folder, issuers) as there:
        yield there


async def ask(served: Served, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    async with connect(ChannelSettings(target=served.endpoint)) as channel:
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        response: predict_pb2.PredictResponse = await call(request, timeout=60)
        return response


@pytest.mark.parametrize(("batching", "foreign"), [(False, True), (True, True), (True, False)])
async def test_a_saved_model_is_served_in_each_sandbox_and_gives_its_golden_answers(
    installation: Installation, model: dict[str, bytes], short_folder: Path, batching: bool, foreign: bool
) -> None:
    installation.store.publish(version_name(1), model)
    installation.inference.orders = [installation.order(batching=batching, foreign=foreign)]
    await installation.start("--model_server", "embedded")
    served = await installation.inference.becomes(Served.STATE_SERVING, timeout_s=200)
    assert served.memory_bytes > 100 << 20
    assert installation.inference.last.model_server.startswith("embedded ")
    saved = short_folder / "saved"
    saved.mkdir()
    (saved / "golden.npz").write_bytes(model["golden.npz"])
    (example,) = examples(saved)
    response = await ask(served, example.request("digits", 1))
    assert example.difference(response) == ""
    assert response.outputs["probabilities"].dtype == tensor_pb2.DT_FLOAT
    assert (await installation.stop()).ok


async def test_what_is_no_model_fails_in_a_sentence(installation: Installation) -> None:
    installation.publish()
    installation.inference.orders = [installation.order()]
    await installation.start("--model_server", "embedded")
    failed = await installation.inference.becomes(Served.STATE_FAILED, timeout_s=280)
    assert failed.message.startswith("the model server ended with status 3: ")
    assert "Traceback" not in failed.message
