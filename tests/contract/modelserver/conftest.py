"""A running model server of either front with models made of NumPy, and folders of such models."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard.api.serving.v1 import model_pb2, predict_pb2, tensor_pb2
from tests.support.model_server import FRONTS, Running, launch

Start = Callable[..., Running]


def make_version(base: Path, version: int, **document: object) -> Path:
    folder = base / str(version)
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps(document))
    return folder


def image(rows: int, value: int = 1, name: str = "digits", **spec: Any) -> predict_pb2.PredictRequest:
    return predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=name, **spec),
        inputs={"image": tensor(tensor_pb2.DT_UINT8, (rows, 2, 2, 1), tensor_content=bytes([value] * 4 * rows))},
    )


def tensor(dtype: Any, shape: tuple[int, ...], **values: Any) -> tensor_pb2.Tensor:
    dims = [tensor_pb2.TensorShape.Dim(size=size) for size in shape]
    return tensor_pb2.Tensor(dtype=dtype, tensor_shape=tensor_pb2.TensorShape(dim=dims), **values)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts servers; they end with the module."""
    running: list[Running] = []

    def start(*flags: str, front: str, ready: bool = True) -> Running:
        folder = tmp_path_factory.mktemp("server")
        server = launch(folder, *flags, front=front, module="tests.contract.modelserver.fake_server")
        running.append(server)
        if ready:
            server.wait_ready()
        return server

    yield start
    for server in running:
        server.end()


@pytest.fixture(scope="module", params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    return str(request.param)
