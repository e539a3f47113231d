"""A folder's way into the catalog and back, as people's code goes it."""

import asyncio
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import DataLoss, InvalidArgument, NotFound, PermissionDenied, Unavailable
from modelyard.sdk.folder import Source, scan
from modelyard.sdk.store import Store
from modelyard.sdk.upload import Pushed, push
from tests.support.catalog import RunningCatalog
from tests.support.pictures import picture, write_classes

TARGET = "projects/default/datasets/digits"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """200 small PNG files in ten classes."""
    return write_classes(tmp_path / "digits", {str(digit): 20 for digit in range(10)})


async def pushed(client: Client, folder: Path, **options: Any) -> Pushed:
    return await asyncio.to_thread(lambda: client.datasets.push("digits", folder, **options))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_folder_becomes_a_version_that_says_what_an_example_is(client: Client, folder: Path) -> None:
    first = await pushed(client, folder, labels={"licence": "mine"})
    assert (first.version, first.unchanged, first.file_count) == (f"{TARGET}/versions/1", False, 201)
    version = await asyncio.to_thread(client.datasets.version, "digits")
    assert (version.file_count, dict(version.labels), version.creator) == (201, {"licence": "mine"}, "users/ann")
    assert version.digest == first.digest
    spec = await asyncio.to_thread(client.datasets.input_spec, "digits@1")
    assert (spec.layout, [len(feature.classes) for feature in spec.features]) == ("class_folders", [0, 10])
    assert sum(split.example_count for split in spec.splits) == 200


async def test_pushed_again_it_is_there_already_and_sends_nothing(client: Client, folder: Path) -> None:
    first = await pushed(client, folder)
    again = await pushed(client, folder)
    assert (again.version, again.unchanged, again.sent_bytes) == (first.version, True, 0)
    assert not again.notes
    labelled = await pushed(client, folder, labels={"licence": "mine"})
    assert labelled.notes == ("labels belong to a version, and this one was there already: it keeps its own",)


async def test_who_gives_the_labels_again_that_a_version_has_is_told_nothing(client: Client, folder: Path) -> None:
    await pushed(client, folder, labels={"licence": "mine", "by": "me"})
    again = await pushed(client, folder, labels={"licence": "mine"})
    assert (again.unchanged, again.notes) == (True, ())


async def test_croissant_describes_one_version_whatever_becomes_the_latest_meanwhile(
    client: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await pushed(client, folder)
    input_spec, asked = client.datasets.input_spec, list[str]()

    def noted(name: str) -> dataset_pb2.InputSpec:
        asked.append(name)
        return input_spec(name)

    monkeypatch.setattr(client.datasets, "input_spec", noted)
    await asyncio.to_thread(client.datasets.croissant, "digits")
    assert asked == [first.version]


async def test_a_changed_file_is_all_that_is_sent(client: Client, folder: Path) -> None:
    await pushed(client, folder)
    changed = picture(1000)
    (folder / "3" / "0007.png").write_bytes(changed)
    second = await pushed(client, folder)
    assert (second.version, second.sent_bytes) == (f"{TARGET}/versions/2", len(changed))


async def test_a_renamed_file_is_not_sent_again(client: Client, folder: Path) -> None:
    first = await pushed(client, folder)
    (folder / "3" / "0007.png").rename(folder / "3" / "seven.png")
    second = await pushed(client, folder)
    assert second.version != first.version
    # How many images are held out goes by their paths, so the description may have changed.
    assert second.sent_bytes < 1000


async def test_a_version_comes_back_as_it_was_whatever_came_after_it(
    client: Client, folder: Path, tmp_path: Path
) -> None:
    await pushed(client, folder)
    before = files(folder)
    (folder / "9" / "0000.png").unlink()
    (folder / "0" / "new.png").write_bytes(picture(77))
    await pushed(client, folder)
    for version, content in (("digits@1", before), ("digits", files(folder))):
        copy = tmp_path / f"copy of {version}"
        await asyncio.to_thread(client.datasets.pull, version, copy)
        description = {"modelyard.dataset.json": (copy / "modelyard.dataset.json").read_bytes()}
        assert files(copy) == content | description


async def test_a_folder_that_holds_something_is_not_written_into(client: Client, folder: Path) -> None:
    await pushed(client, folder)
    before = files(folder)
    for place in (folder, folder / "0" / "0000.png"):
        with pytest.raises(InvalidArgument, match="is not an empty folder; name another"):
            await asyncio.to_thread(client.datasets.pull, "digits", place)
    assert files(folder) == before


class Breaking(Store):
    """A store to which the way breaks off after so many parts."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self._left = parts
        self._lock = threading.Lock()
        self.sent = 0

    def put(self, url: str, data: bytes) -> None:
        with self._lock:
            self._left -= 1
            if self._left < 0:
                raise Unavailable("the way broke off")
        super().put(url, data)
        self.sent += len(data)


async def test_an_interrupted_push_goes_on_where_it_was(client: Client, tmp_path: Path) -> None:
    size = 20 << 20
    sources = {"large.bin": Source(size, content=random.Random(1).randbytes(size))}

    def send(store: Store) -> Pushed:
        return push(client.connection, TARGET, sources, store=store)

    breaking, whole = Breaking(2), Breaking(100)
    with pytest.raises(Unavailable, match="broke off"):
        await asyncio.to_thread(send, breaking)
    done = await asyncio.to_thread(send, whole)
    assert breaking.sent > 0
    assert size < breaking.sent + whole.sent < size + 1000
    assert done.version == f"{TARGET}/versions/1"


async def spoiled(catalog: RunningCatalog, spoil: Callable[[bytes], bytes]) -> None:
    """Change every pack in the store behind the catalog's back."""
    keys = await catalog.keys()
    for key in keys:
        content = await catalog.store.read(key)
        if content.startswith(b"\x89PNG"):
            await catalog.store.put(key, spoil(content))
            return
    raise AssertionError(f"no pack of images among {keys}")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:],
        lambda content: content[:-1],
        lambda content: content + b"x",
    ],
    ids=["a bit", "shorter", "longer"],
)
async def test_a_damaged_object_is_noticed_and_no_file_of_it_is_written(
    client: Client, catalog: RunningCatalog, folder: Path, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    await pushed(client, folder)
    await spoiled(catalog, spoil)
    with pytest.raises((DataLoss, Unavailable)):
        await asyncio.to_thread(client.datasets.pull, "digits", tmp_path / "copy")
    assert files(tmp_path / "copy") == {}


async def test_what_is_refused_leaves_nothing_behind(client: Client, catalog: RunningCatalog, folder: Path) -> None:
    with pytest.raises(InvalidArgument, match="put each into a folder of its class"):
        await asyncio.to_thread(client.datasets.push, "digits", folder / "3")
    with pytest.raises(InvalidArgument):
        await asyncio.to_thread(client.datasets.push, "Not A Name", folder)
    assert await catalog.keys() == []
    with pytest.raises(NotFound):
        await asyncio.to_thread(client.datasets.get, "digits")


async def test_who_may_only_read_cannot_push(catalog: RunningCatalog, folder: Path) -> None:
    token = catalog.issuers.token("viewer", "default", "users/ben")
    with Client(catalog.address, token=token) as viewer, pytest.raises(PermissionDenied):
        await pushed(viewer, folder)


async def test_progress_says_what_is_done_of_how_much(client: Client, folder: Path) -> None:
    seen: dict[str, tuple[int, int]] = {}

    def look(stage: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        assert seen.get(stage, (0, 0))[0] <= done
        seen[stage] = (done, total)

    await pushed(client, folder, progress=look)
    total = sum(source.size for source in scan(folder).values())
    assert seen["hashing"][0] == seen["hashing"][1] > total
    assert seen["sending"][0] == seen["sending"][1] > total
