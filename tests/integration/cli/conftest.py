"""A catalog and a scheduler behind one address, whose worker does what a test says, and the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from modelyard.api.catalog.v1 import package_service_pb2
from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.config import ChannelSettings, SqlSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.scheduler.runtime import running
from tests.support.buckets import own_bucket
from tests.support.catalog import PROJECT, Client, RunningCatalog, running_catalog
from tests.support.graphs import write_graph
from tests.support.one_address import one_address
from tests.support.scheduling import scheduler_settings
from tests.support.scripted_worker import ScriptedWorker
from tests.support.seaweedfs import RunningStore
from tests.support.servers import Issuers

TEMPLATE = 'entry = "train:main"\n[parameters.epochs]\ntype = "int"\ndefault = 1\nmin = 1\n'
DIGITS = {
    "format": 1,
    "layout": "class_folders",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [28, 28, 1], "encoding": "png"},
        "label": {"dtype": "int64", "classes": ["0", "1"]},
    },
    "splits": {"train": {"examples": 2}, "test": {"examples": 1}},
    "split_rule": "hash-10",
}


@dataclass(frozen=True)
class There:
    """An installation whose worker does what a test says."""

    catalog: RunningCatalog
    admin: Client
    worker: ScriptedWorker

    async def packages(self) -> list[str]:
        answer = await self.admin.packages.ListPackages(package_service_pb2.ListPackagesRequest(parent=PROJECT))
        return [each.name.rpartition("/")[2] for each in answer.packages]

    async def work(self, model: str) -> str:
        """Take the next import to its end, with a version of the model."""
        while (assignment := await self.worker.take()).spec.template != "import-model":
            pass
        job = assignment.attempt.partition("/attempts/")[0]
        attempt = await self.catalog.attempt(job, 1)
        await attempt.execute(job, 1)
        version = await attempt.pushed(f"{PROJECT}/models/{model}", {"saved_model.pb": job.encode()})
        await self.worker.complete(assignment.attempt, model_version=version)
        return version


@pytest.fixture
def templates() -> Path | None:
    """A folder of templates for the scheduler; None: those that ship, without the one that profiles."""
    return None


@pytest.fixture
async def there(
    tmp_path: Path, seaweedfs: RunningStore, monkeypatch: pytest.MonkeyPatch, templates: Path | None
) -> AsyncIterator[There]:
    monkeypatch.chdir(tmp_path)
    issuers = Issuers()
    async with AsyncExitStack() as stack:
        s3 = stack.enter_context(own_bucket(seaweedfs.store.settings))
        catalog = await stack.enter_async_context(running_catalog(tmp_path, s3, issuers=issuers))
        sql = SqlSettings.model_validate({"url": f"sqlite:///{tmp_path}/scheduler.sqlite"})
        scheduler = await stack.enter_async_context(
            running(scheduler_settings(tmp_path, sql, catalog.address, issuers, templates))
        )
        stack.push_async_callback(scheduler.server.stop, 0)
        address = f"unix:{tmp_path}/all.sock"
        targets = {"/modelyard.api.catalog.": catalog.address, "/modelyard.api.scheduler.": scheduler.server.address}
        await stack.enter_async_context(one_address(address, targets))
        monkeypatch.setenv("MODELYARD_SERVER", address)
        monkeypatch.setenv("MODELYARD_TOKEN", issuers.token("editor", "default", "users/ann"))
        worker_token = FixedToken(issuers.token("worker", subject="workers/w"))
        channel = await stack.enter_async_context(
            connect(ChannelSettings(target=scheduler.server.address), credentials=worker_token)
        )
        admin = await catalog.client()
        await admin.pushed(f"{PROJECT}/datasets/digits", {"modelyard.dataset.json": json.dumps(DIGITS).encode()})
        code, model = tmp_path / "mine", tmp_path / "saved"
        code.mkdir()
        (code / "train.py").write_text("def main(): ...\n")
        (code / "template.toml").write_text(TEMPLATE)
        write_graph(model, {"serving_default": {"x": ("DT_FLOAT", [-1, 28, 28, 1])}})
        yield There(catalog, admin, ScriptedWorker(channel))


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, hoist(words))
