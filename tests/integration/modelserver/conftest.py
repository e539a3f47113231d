"""One exported model, and real model servers on it: each front, with and without batching."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.modelserver.reference import export
from tests.support.model_server import Running, launch


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base path with version 1."""
    base = tmp_path_factory.mktemp("cnn")
    export(base / "1")
    return base


@pytest.fixture(scope="session", params=["pyvoy-batched", "aio-batched", "aio-direct"])
def server(request: pytest.FixtureRequest, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    front, _, how = request.param.partition("-")
    flags = [f"--model_base_path={models}", "--model_name=pets", "--file_system_poll_wait_seconds=0"]
    flags += ["--enable_batching"] if how == "batched" else []
    running = launch(tmp_path_factory.mktemp("server"), *flags, front=front)
    running.wait_ready()
    yield running
    running.end()
