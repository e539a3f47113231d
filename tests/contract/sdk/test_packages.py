"""Code of one's own and what jobs leave behind, as people's code goes about them."""

import asyncio
from pathlib import Path

import pytest

from modelyard.api.catalog.v1 import model_pb2, model_service_pb2, package_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import FailedPrecondition, InvalidArgument, NotFound
from modelyard.sdk.folder import Source, scan
from modelyard.sdk.upload import Pushed, push
from tests.support.catalog import RunningCatalog

MINE = "projects/default/packages/mine"
JOB = "projects/default/jobs/j"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small package, with what must stay behind."""
    files = {
        "train.py": "def main(): ...\n",
        "template.toml": 'entry = "train:main"\n',
        "requirements.txt": "",
        "nets/cnn.py": "x = 1\n",
        "nets/__pycache__/cnn.pyc": "junk",
        ".venv/pyvenv.cfg": "junk",
        ".env": "SECRET=1",
    }
    for path, content in files.items():
        (tmp_path / "mine" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / path).write_text(content)
    return tmp_path / "mine"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def pushed(client: Client, path: Path, name: str = "mine") -> Pushed:
    return await asyncio.to_thread(client.packages.push, name, path)


async def test_a_folder_of_code_is_pushed_described_and_pulled(client: Client, folder: Path, tmp_path: Path) -> None:
    first = await pushed(client, folder)

    assert (first.version, first.file_count, first.unchanged) == (f"{MINE}/versions/1", 4, False)
    assert set(first.skipped) == {".venv/", ".env", "nets/__pycache__/"}
    spec = await asyncio.to_thread(client.packages.spec, "mine")
    assert (spec.template_toml, spec.has_requirements, list(spec.modules)) == (
        'entry = "train:main"\n',
        True,
        ["train"],
    )
    version = await asyncio.to_thread(client.packages.version, "mine@1")
    assert (version.name, version.digest) == (first.version, first.digest)
    await asyncio.to_thread(client.packages.pull, "mine", tmp_path / "copy")
    assert files(tmp_path / "copy") == {
        path: content for path, content in files(folder).items() if path in scan(tmp_path / "copy")
    }
    assert len(files(tmp_path / "copy")) == 4


async def test_the_same_code_is_the_same_version(client: Client, folder: Path) -> None:
    first = await pushed(client, folder)
    (folder / "train.py").write_text("def main(): pass\n")
    second = await pushed(client, folder)
    again = await pushed(client, folder)
    (folder / "train.py").write_text("def main(): ...\n")

    back = await pushed(client, folder)

    assert (second.version, again.version, again.unchanged) == (f"{MINE}/versions/2", second.version, True)
    assert (back.version, back.unchanged) == (first.version, True)
    versions = await asyncio.to_thread(lambda: [version.name for version in client.packages.versions("mine")])
    assert versions == [second.version, first.version]


async def test_one_file_is_a_package_and_a_model_from_elsewhere_is_one_too(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    script = await pushed(client, folder / "train.py", "script")
    assert script.file_count == 1
    model = tmp_path / "model.keras"
    model.write_bytes(b"PK")
    saved = tmp_path / "saved"
    (saved / "variables").mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"graph")
    (saved / ".hidden").write_bytes(b"kept")
    for path, count in ((model, 1), (saved, 2)):
        done = await asyncio.to_thread(client.packages.push, "source", path, contents="model")
        assert (done.file_count, done.skipped) == (count, ())
    with pytest.raises(InvalidArgument) as refused:
        await pushed(client, model)
    assert refused.value.reason == "NO_CODE"
    with pytest.raises(InvalidArgument, match="does not exist"):
        await asyncio.to_thread(client.packages.push, "source", tmp_path / "nothing", contents="model")
    names = await asyncio.to_thread(lambda: [package.name for package in client.packages.list()])
    assert names == ["projects/default/packages/script", "projects/default/packages/source"]


async def test_code_and_a_model_are_kept_apart_before_anything_is_sent(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    model = tmp_path / "mine.keras"
    model.write_bytes(b"PK")
    await pushed(client, folder)

    with pytest.raises(FailedPrecondition, match=f"{MINE} holds code, so the files of a model can't") as refused:
        await asyncio.to_thread(client.packages.push, "mine", model, contents="model")

    assert refused.value.reason == "PACKAGE_KIND_DIFFERS"
    await asyncio.to_thread(client.packages.push, "theirs", model, contents="model")
    kinds = await asyncio.to_thread(lambda: [package.kind for package in client.packages.list()])
    assert kinds == [package_pb2.Package.KIND_CODE, package_pb2.Package.KIND_MODEL]


async def test_what_cannot_be_pulled_leaves_no_folder(client: Client, folder: Path, tmp_path: Path) -> None:
    await pushed(client, folder)
    place, there = tmp_path / "deep" / "x", tmp_path / "there"
    there.mkdir()

    for wanted, target in (("mine@9", place), ("other", place), ("mine@9", there)):
        with pytest.raises(NotFound):
            await asyncio.to_thread(client.packages.pull, wanted, target)

    assert not place.parent.exists()
    assert list(there.iterdir()) == []


async def test_a_pull_that_breaks_off_leaves_no_folder(client: Client, folder: Path, tmp_path: Path) -> None:
    await pushed(client, folder)

    def broken(stage: str, done: int, total: int) -> None:
        assert (tmp_path / "x").exists()
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await asyncio.to_thread(client.packages.pull, "mine", tmp_path / "x", progress=broken)
    assert not (tmp_path / "x").exists()


async def test_what_a_job_uses_cannot_be_deleted(client: Client, catalog: RunningCatalog, folder: Path) -> None:
    code = (await pushed(client, folder)).version
    scheduler = await catalog.client("service", "*", "services/scheduler")
    await scheduler.execute(JOB, 0, code)
    for name in ("mine", "mine@1"):
        with pytest.raises(FailedPrecondition, match=JOB) as refused:
            await asyncio.to_thread(client.packages.delete, name)
        assert refused.value.reason == "STILL_NEEDED"
    await scheduler.end(JOB, 0)
    await asyncio.to_thread(client.packages.delete, "mine@1")
    await asyncio.to_thread(client.packages.delete, "mine")
    with pytest.raises(NotFound):
        await asyncio.to_thread(client.packages.get, "mine")


async def test_outputs_and_evaluations_of_a_job_are_found(
    client: Client, catalog: RunningCatalog, folder: Path, tmp_path: Path
) -> None:
    data = await (await catalog.client()).pushed("projects/default/datasets/d", {"x": b"x"})
    scheduler = await catalog.client("service", "*", "services/scheduler")
    await scheduler.execute("projects/default/jobs/t", 0, data)
    trainer = await catalog.attempt("projects/default/jobs/t", 1)
    await trainer.execute("projects/default/jobs/t", 1)
    model = await trainer.pushed("projects/default/models/m", {"saved_model.pb": b"g"})
    await scheduler.execute(JOB, 0, model, data)
    judge = await catalog.attempt(JOB, 1)
    await judge.execute(JOB, 1)
    run = f"{JOB}/outputs/run"
    token = catalog.issuers.token("attempt", "default", f"{JOB}/attempts/1")
    content = {"report.html": Source(4, content=b"page")}
    with Client(catalog.address, token=token) as attempt:
        done = await asyncio.to_thread(push, attempt.connection, run, content, base=run)
        content |= {"more": Source(4, content=b"more")}
        more = await asyncio.to_thread(push, attempt.connection, run, content, base=run)
        back = await asyncio.to_thread(push, attempt.connection, run, {"report.html": content["report.html"]}, base=run)
    assert (done.version, more.sent_bytes, back.sent_bytes) == (run, 4, 0)
    evaluation = model_pb2.Evaluation(
        dataset_version=data, split="test", example_count=9, metrics={"accuracy": 0.5}, report=run
    )
    request = model_service_pb2.RecordEvaluationRequest(parent=model, evaluation=evaluation)
    recorded = await judge.models.RecordEvaluation(request)

    (output,) = await asyncio.to_thread(lambda: list(client.lineage.outputs("j")))
    await asyncio.to_thread(client.lineage.pull_output, output.name, tmp_path / "run")

    assert (output.name, output.file_count) == (run, 1)
    assert files(tmp_path / "run") == {"report.html": b"page"}
    for dataset in ("", "d", "d@1"):
        assert await asyncio.to_thread(list, client.models.evaluations("m", dataset)) == [recorded]
    executions = await asyncio.to_thread(client.lineage.of, model)
    assert [execution.consumer for execution in executions] == ["projects/default/jobs/t", JOB]
