"""What `train ./code` and `models push` say before they send anything, against a catalog and a scheduler."""

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
from modelyard.sdk.errors import FailedPrecondition, InvalidArgument, ModelyardError, NotFound
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
async def there(tmp_path: Path, seaweedfs: RunningStore, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[There]:
    monkeypatch.chdir(tmp_path)
    issuers = Issuers()
    async with AsyncExitStack() as stack:
        s3 = stack.enter_context(own_bucket(seaweedfs.store.settings))
        catalog = await stack.enter_async_context(running_catalog(tmp_path, s3, issuers=issuers))
        sql = SqlSettings.model_validate({"url": f"sqlite:///{tmp_path}/scheduler.sqlite"})
        scheduler = await stack.enter_async_context(
            running(scheduler_settings(tmp_path, sql, catalog.address, issuers))
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


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


def remove(path: str) -> None:
    Path(path).unlink()


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, hoist(words))


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("--dataset", "digit"), NotFound, "dataset `digit` not found; did you mean `digits`?"),
        (("--dataset", "digits@9"), NotFound, "datasets/digits/versions/9 does not exist"),
        (("--dataset", "digits", "--set", "epoch=3"), SystemExit, "no parameter 'epoch'; did you mean 'epochs'?"),
        (("--dataset", "digits", "--set", "epochs=0"), SystemExit, "parameter epochs is 0; it must be at least 1"),
    ],
)
async def test_what_is_wrong_with_a_training_is_said_before_its_code_is_sent(
    there: There, words: tuple[str, ...], kind: type[BaseException], says: str
) -> None:
    done = await typed("train", "./mine", *words)
    assert isinstance(done.exception, kind), done.output
    assert says in (done.exception.message if isinstance(done.exception, ModelyardError) else done.stderr)
    assert done.exit_code != 0
    assert await there.packages() == []


async def test_a_template_toml_that_is_wrong_is_said_before_the_code_is_sent(there: There) -> None:
    write("mine/template.toml", "kind = 'import'\n")
    done = await typed("train", "./mine", "--dataset", "digits")
    assert "a package of one's own is of kind 'training'" in done.stderr
    remove("mine/template.toml")
    done = await typed("train", "./mine", "--dataset", "digits", "--set", "sizes=[1,2]")
    assert "parameter sizes is [1, 2]; it must be a finite number, text, true or false" in done.stderr
    assert await there.packages() == []


async def test_right_code_is_sent_and_becomes_a_job(there: There) -> None:
    done = await typed("train", "./mine", "--dataset", "digits", "--set", "epochs=3", "--job", "first")
    assert done.exit_code == 0, done.output
    assert "first is queued" in done.output
    assert await there.packages() == ["mine"]
    assert ["mine", "code", "1"] in [line.split()[:3] for line in (await typed("packages", "list")).output.splitlines()]


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (("--dataset", "digit"), NotFound, "dataset `digit` not found; did you mean `digits`?"),
        (("--set", "example=3"), InvalidArgument, "no parameter 'example'; did you mean 'examples'?"),
        (("--dataset", "digits"), InvalidArgument, "the images of digits@1 (28 × 28, 1 channel) fit no input"),
    ],
)
async def test_what_is_wrong_with_an_import_is_said_before_its_files_are_sent(
    there: There, words: tuple[str, ...], kind: type[ModelyardError], says: str
) -> None:
    write_graph(Path("saved"), {"serving_default": {"x": ("DT_FLOAT", [-1, 28, 28, 3])}})
    done = await typed("models", "push", "two", "saved", "--no-wait", *words)
    assert isinstance(done.exception, kind), done.output
    assert says in done.exception.message
    assert await there.packages() == []


async def test_a_model_pushed_again_is_the_version_that_it_is(there: There) -> None:
    push = ("models", "push", "two", "saved", "--no-wait")
    assert "source two@1" in (await typed(*push)).output
    version = await there.work("two")

    said = await typed(*push)
    script = json.loads((await typed(*push, "-o", "json")).output)

    assert said.exit_code == 0, said.output
    assert "unchanged: two@1 has these files" in said.output
    assert "queued" not in said.output
    assert script["model_version"] == version


async def test_a_model_is_imported_again_where_the_answer_could_be_another(there: There) -> None:
    push = ("models", "push", "two", "saved", "--no-wait")
    await typed(*push)
    await there.work("two")
    for more in (("--dataset", "digits"), ("--set", "examples=3"), ("--job", "again")):
        assert "is queued" in (await typed(*push, *more)).output, more
        await there.work("two")
    write("saved/more", "x")
    assert "is queued" in (await typed(*push)).output
    await there.work("two")
    remove("saved/more")
    assert "is queued" in (await typed(*push)).output, "the latest version has other files"


async def test_code_and_a_model_of_one_name_are_told_apart_by_an_option(there: There) -> None:
    assert (await typed("train", "./mine", "--dataset", "digits")).exit_code == 0

    refused = await typed("models", "push", "mine", "saved", "--no-wait")

    assert isinstance(refused.exception, FailedPrecondition)
    assert refused.exception.reason == "PACKAGE_KIND_DIFFERS"
    assert refused.exception.message.endswith("push it as a package of another name: --package NAME")
    done = await typed("models", "push", "mine", "saved", "--no-wait", "--package", "mine-files")
    assert "source mine-files@1" in done.output
    assert await there.packages() == ["mine", "mine-files"]
