"""The folder cache: atomic, bounded, pinned, safe after a crash."""

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.sync.cache import CacheFull, CacheInUse, FolderCache


def digest(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


class Builder:
    """Writes one file of `size` bytes and counts."""

    def __init__(self, size: int = 10) -> None:
        self.size = size
        self.built = 0

    async def __call__(self, folder: Path) -> None:
        self.built += 1
        await asyncio.sleep(0)
        (folder / "sub").mkdir()
        (folder / "sub" / "file").write_bytes(b"x" * self.size)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> Iterator[FolderCache]:
    cache = FolderCache(folder, max_bytes=30)
    yield cache
    cache.close()


async def put(cache: FolderCache, name: str, size: int = 10) -> Builder:
    builder = Builder(size)
    async with cache.pinned(digest(name), size, builder):
        pass
    return builder


async def test_a_tree_is_built_once(cache: FolderCache) -> None:
    builder = Builder()
    for _ in range(2):
        async with cache.pinned(digest("a"), 10, builder) as tree:
            assert (tree / "sub" / "file").read_bytes() == b"x" * 10
    assert builder.built == 1
    assert cache.total_bytes == 10


async def test_two_at_once_build_it_once(cache: FolderCache) -> None:
    builder = Builder()

    async def use() -> Path:
        async with cache.pinned(digest("a"), 10, builder) as tree:
            await asyncio.sleep(0.01)
            return tree

    first, second = await asyncio.gather(use(), use())
    assert first == second
    assert builder.built == 1


async def test_it_is_there_after_a_restart(folder: Path) -> None:
    first = FolderCache(folder, 30)
    await put(first, "a")
    await put(first, "b")
    first.close()
    second = FolderCache(folder, 30)
    assert second.digests() == [digest("a"), digest("b")]
    assert (await put(second, "a")).built == 0
    second.close()


async def test_a_build_that_fails_leaves_nothing(cache: FolderCache, folder: Path) -> None:
    async def fail(tree: Path) -> None:
        (tree / "half").write_text("x")
        raise ConnectionError("the store is away")

    with pytest.raises(ConnectionError):
        async with cache.pinned(digest("a"), 10, fail):
            pass
    assert not cache.has(digest("a"))
    assert list((folder / ".building").iterdir()) == []
    assert (await put(cache, "a")).built == 1


async def test_a_cancelled_build_leaves_nothing(cache: FolderCache, folder: Path) -> None:
    began = asyncio.Event()

    async def hang(tree: Path) -> None:
        began.set()
        await asyncio.sleep(60)

    async def use() -> None:
        async with cache.pinned(digest("a"), 10, hang):
            pass

    using = asyncio.create_task(use())
    await began.wait()
    using.cancel()
    await asyncio.wait([using])
    assert list((folder / ".building").iterdir()) == []
    assert (await put(cache, "a")).built == 1


def test_what_a_crash_left_half_built_or_half_deleted_is_swept(folder: Path) -> None:
    for name in (".building", ".trash"):
        (folder / name / "x" / "tree").mkdir(parents=True)
        (folder / name / "x" / "tree" / "file").write_text("half")
    cache = FolderCache(folder, 30)
    assert cache.digests() == []
    assert sorted(path.name for path in folder.iterdir()) == [".building", ".lock", ".trash"]
    assert list((folder / ".building").iterdir()) == list((folder / ".trash").iterdir()) == []
    cache.close()


async def test_the_least_recently_used_goes_first(cache: FolderCache, folder: Path) -> None:
    for name in ("a", "b", "c"):
        await put(cache, name)
    await put(cache, "a")
    await put(cache, "d")
    assert cache.digests() == [digest("c"), digest("a"), digest("d")]
    assert not (folder / digest("b").removeprefix("sha256:")).exists()
    assert cache.total_bytes == 30


async def test_what_is_in_use_stays(cache: FolderCache) -> None:
    await put(cache, "a")
    async with cache.pinned(digest("a"), 10, Builder()) as tree:
        await put(cache, "b", 20)
        await put(cache, "c", 20)
        assert (tree / "sub" / "file").exists()
        assert cache.digests()[-1] == digest("c")
        assert not cache.has(digest("b"))
        with pytest.raises(CacheFull) as caught:
            await put(cache, "d", 25)
        assert caught.value.facts["needed_bytes"] == "25"
    await put(cache, "d", 25)


async def test_a_damaged_tree_can_be_dropped_unless_it_is_in_use(cache: FolderCache) -> None:
    await put(cache, "a")
    async with cache.pinned(digest("a"), 10, Builder()):
        assert not await cache.remove(digest("a"))
    assert await cache.remove(digest("a"))
    assert not await cache.remove(digest("a"))
    assert (await put(cache, "a")).built == 1


def test_a_folder_has_one_user(cache: FolderCache, folder: Path) -> None:
    with pytest.raises(CacheInUse, match="in use by another process"):
        FolderCache(folder, 30)


async def test_a_tree_that_is_larger_than_the_disk_is_refused(folder: Path) -> None:
    cache = FolderCache(folder, max_bytes=2**62)
    with pytest.raises(CacheFull, match="free some space"):
        await put(cache, "a", 2**61)
    cache.close()


def test_a_folder_that_is_no_entry_is_not_taken_for_one(folder: Path) -> None:
    (folder / ("a" * 64)).mkdir(parents=True)
    with pytest.raises(FailedPrecondition, match="not an entry"):
        FolderCache(folder, 30)


async def test_a_digest_of_another_form_is_a_bug(cache: FolderCache) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        await put_raw(cache, "../../etc")


async def put_raw(cache: FolderCache, name: str) -> None:
    async with cache.pinned(name, 1, Builder()):
        pass


async def test_trees_that_nobody_uses_give_way_to_one_that_the_disk_has_no_room_for(
    cache: FolderCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        await put(cache, name)
    # A disk of 25 bytes, of which the cache's trees take what they have.
    monkeypatch.setattr(FolderCache, "_free", property(lambda cache: 25 - cache.total_bytes))
    async with cache.pinned(digest("b"), 10, Builder()):
        await put(cache, "c", 12)
        assert not cache.has(digest("a"))
        assert cache.has(digest("b"))
        with pytest.raises(CacheFull, match="has 15 bytes left and 16 are needed; free some space"):
            await put(cache, "d", 16)
