"""Each process is started with settings that it reads."""

import importlib
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelyard.foundation.objectstore.s3 import S3Settings
from modelyard.local.folder import DataFolder
from modelyard.local.identities import ensure_identities
from modelyard.local.processes import Process, plan
from modelyard.local.store import Store, StoreProcess

S3 = S3Settings(endpoint="http://127.0.0.1:9000", access_key="a", secret_key=SecretStr("s"), bucket="modelyard")
SETTINGS = {
    "catalog": "CatalogSettings",
    "scheduler": "SchedulerSettings",
    "inference": "InferenceSettings",
    "proxy": "ProxySettings",
    "trainer": "TrainerSettings",
    "modelhost": "ModelHostSettings",
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "d")
    with folder.claimed():
        ensure_identities(folder)
        yield folder


@pytest.fixture
def processes(folder: DataFolder) -> list[Process]:
    return plan(folder, "127.0.0.1:8571", Store("external", "x", S3, None))


@pytest.mark.parametrize(("name", "kind"), SETTINGS.items())
def test_the_settings_written_are_those_that_the_process_reads(
    folder: DataFolder, processes: list[Process], name: str, kind: str
) -> None:
    settings = getattr(importlib.import_module(f"modelyard.{name}.settings"), kind)
    fields = tomllib.loads((folder.part("config") / f"{name}.toml").read_text())
    settings.model_validate(fields)
    assert (folder.part("config") / f"{name}.toml").stat().st_mode & 0o077 == 0


def test_nobody_but_the_catalog_knows_the_stores_keys(folder: DataFolder, processes: list[Process]) -> None:
    for path in folder.part("config").iterdir():
        assert ("secret_key" in path.read_text()) == (path.name == "catalog.toml")


def test_users_secrets_are_not_handed_on(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    for process in plan(folder, "127.0.0.1:8571", Store("external", "x", S3, None)):
        assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & set(process.environment)


def test_each_waits_for_what_it_needs(folder: DataFolder) -> None:
    own = StoreProcess(["/bin/store"], folder.root, {})
    order = [each.name for each in plan(folder, "127.0.0.1:8571", Store("minio", "x", S3, own))]
    assert order[0] == "store"
    for process in plan(folder, "127.0.0.1:8571", Store("minio", "x", S3, own)):
        for needed in process.after:
            assert order.index(needed) < order.index(process.name)
