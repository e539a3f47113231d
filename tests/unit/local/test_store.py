import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.foundation.objectstore import embedded
from modelyard.local import store
from modelyard.local.errors import StoreChanged
from modelyard.local.folder import DataFolder
from modelyard.local.store import choose_store, minio_version

ENDPOINT = "http://127.0.0.1:9000"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        yield folder


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of programs that are on PATH."""
    there: set[str] = set()
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in there else None)
    monkeypatch.setattr(store, "_minio_version", lambda program: "of a test")
    for name in ("MODELYARD_S3_ACCESS_KEY", "MODELYARD_S3_SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    return there


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_S3_ACCESS_KEY", "access")
    monkeypatch.setenv("MODELYARD_S3_SECRET_KEY", "secret")


def record(folder: DataFolder) -> dict[str, str]:
    fields: dict[str, str] = json.loads((folder.root / "store.json").read_text())
    return fields


def test_without_anything_it_is_the_embedded_one_and_stays_it(folder: DataFolder, programs: set[str]) -> None:
    first = choose_store(folder)
    assert (first.kind, record(folder)) == ("embedded", {"kind": "embedded"})
    assert "for evaluation" in first.title
    programs.add("minio")
    again = choose_store(folder)
    assert again.kind == "embedded"
    assert again.settings.access_key == first.settings.access_key


def test_minio_on_path_is_taken_with_keys_of_its_own(folder: DataFolder, programs: set[str]) -> None:
    programs.add("minio")
    first = choose_store(folder)
    assert (first.kind, first.title) == ("minio", "MinIO of a test")
    assert first.process is not None
    assert first.process.environment["MINIO_ROOT_USER"] == record(folder)["access_key"]
    assert choose_store(folder).settings.secret_key == first.settings.secret_key


def test_data_in_a_minio_that_is_gone_is_said(folder: DataFolder, programs: set[str]) -> None:
    programs.add("minio")
    choose_store(folder)
    programs.clear()
    with pytest.raises(StoreChanged, match="`minio` is not on PATH any more"):
        choose_store(folder)


@pytest.mark.usefixtures("keys")
def test_the_one_asked_for_is_recorded_with_its_keys(folder: DataFolder, programs: set[str]) -> None:
    programs.add("minio")
    first = choose_store(folder, ENDPOINT)
    assert (first.kind, first.process, first.settings.endpoint) == ("external", None, ENDPOINT)
    assert (folder.root / "store.json").stat().st_mode & 0o077 == 0
    assert choose_store(folder).settings.endpoint == ENDPOINT
    assert choose_store(folder, ENDPOINT).settings.endpoint == ENDPOINT


@pytest.mark.usefixtures("keys")
def test_another_store_than_the_recorded_one_is_refused(folder: DataFolder) -> None:
    choose_store(folder, ENDPOINT)
    with pytest.raises(StoreChanged, match=f"the data of .* is in {ENDPOINT}; leave --s3-endpoint out"):
        choose_store(folder, "http://other:9000")
    assert record(folder)["endpoint"] == ENDPOINT


def test_a_store_without_keys_says_where_they_come_from(folder: DataFolder) -> None:
    with pytest.raises(StoreChanged, match="set MODELYARD_S3_ACCESS_KEY and MODELYARD_S3_SECRET_KEY"):
        choose_store(folder, ENDPOINT)
    assert not (folder.root / "store.json").exists()


def test_the_embedded_one_listens_on_this_machine_only(folder: DataFolder) -> None:
    chosen = choose_store(folder)
    assert chosen.process is not None
    assert "-ip.bind=127.0.0.1" in chosen.process.argv
    assert len(embedded.prepare(folder.part("store")).ports.all) == 2 * len(embedded.SERVERS)


@pytest.mark.parametrize(
    ("said", "version"),
    [
        (
            "minio version RELEASE.2025-10-15T17-29-55Z (commit-id=9e49d5)\nRuntime: go1.24",
            "RELEASE.2025-10-15T17-29-55Z",
        ),
        ("minio version DEVELOPMENT.GOGET (commit-id=DEVELOPMENT.GOGET)", "built from source"),
        ("", "of unknown version"),
    ],
)
def test_a_minio_without_a_version_is_one_built_from_source(said: str, version: str) -> None:
    assert minio_version(said) == version
