import re
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelyard.layouts.description import MODALITIES
from modelyard.sdk import gallery
from modelyard.sdk.croissant import licences
from modelyard.sdk.errors import DataLoss, FailedPrecondition, NotFound, Unavailable
from modelyard.sdk.gallery.cache import Kept
from modelyard.sdk.gallery.digests import tree_digest
from modelyard.sdk.gallery.images.mnist import MNIST
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.progress import Progress, silent

DIGEST = "4dcbbfefce52faaa2a98df84af50d780e25dbcc5e54fec3e0a87681bdb6e86b2"
"""Of what `made` makes."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "modelyard" / "gallery"


@dataclass
class Parcel:
    """A package that needs no download."""

    client: str = "pip"
    requirement: str = "parcel==1.0"
    size: int = 100
    missing: bool = False
    downloads: int = 0

    def check(self) -> None:
        if self.missing:
            raise FailedPrecondition("there is no client", reason="CLIENT_MISSING")

    def download(self, folder: Path, progress: Progress) -> Path:
        assert list(folder.iterdir()) == []
        self.downloads += 1
        progress("downloading", 50, self.size)
        (folder / "parcel").write_bytes(b"parcel")
        return folder / "parcel"


def made(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    assert [package.read_bytes() for package in packages] == [b"parcel"] * len(packages)
    steps(1, 2)
    (folder / "train").mkdir()
    (folder / "train" / "file").write_bytes(b"made")


def small(make: Callable[[Sequence[Path], Path, Steps], None] = made, **other: Any) -> Set:
    facts: dict[str, Any] = {"name": "small", "packages": (Parcel(),), "digest": DIGEST, "size": 4, "needs": ()} | other
    return replace(MNIST, make=make, **facts)


def test_every_set_says_what_it_is_under_its_own_name() -> None:
    for name, each in gallery.SETS.items():
        assert each.name == name
        assert re.fullmatch(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", name)
        assert each.modality in MODALITIES
        assert each.title
        assert each.licence
        assert all(len(value) <= 256 for value in each.labels.values())
        assert re.fullmatch(r"[0-9a-f]{64}", each.digest)
        assert each.size > 100_000
        assert each.download_size > 1_000_000


def test_every_modality_has_a_set_that_pip_alone_brings() -> None:
    by_pip = {each.modality for each in gallery.SETS.values() if each.clients == ("pip",)}
    assert by_pip == set(MODALITIES)


def test_generated_sets_say_so() -> None:
    generated = {name for name, each in gallery.SETS.items() if each.seed is not None}
    assert generated == {"digit-scenes", "plates", "digit-strings", "spoken-digits", "motions", "moving-digits"}


def test_a_set_that_is_not_there_names_the_nearest() -> None:
    assert gallery.find("mnist") is MNIST
    with pytest.raises(NotFound, match="has no `minst`; did you mean `mnist`"):
        gallery.find("minst")
    with pytest.raises(NotFound, match="has no `cifar`; there is `mnist`"):
        gallery.find("cifar")


def test_a_trees_digest_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_bytes(b"1")
    (tmp_path / "a").write_bytes(b"2")
    command = "find -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    printed = subprocess.check_output(command, shell=True, cwd=tmp_path, text=True)
    assert printed.split()[0] == tree_digest(tmp_path)


def test_a_set_is_made_once_and_mended_if_the_cache_was_damaged(cache: Path) -> None:
    parcel = Parcel()
    each = small(packages=(parcel,))
    assert each.fetch() == cache / "small"
    assert [path.name for path in (cache / "small").rglob("*")] == ["train", "file"]
    assert (each.fetch() / "train/file").read_bytes() == b"made"
    assert parcel.downloads == 1
    (cache / "small/train/file").write_bytes(b"fade")
    (cache / "small/more").write_bytes(b"more")
    assert (each.fetch() / "train/file").read_bytes() == b"made"
    assert not (cache / "small/more").exists()
    assert parcel.downloads == 2
    assert sorted(path.name for path in cache.iterdir()) == [".small.digest", ".small.lock", "small"]


def test_progress_counts_the_bytes_of_all_packages_and_of_what_is_made() -> None:
    said: list[tuple[str, int, int]] = []
    small(packages=(Parcel(), Parcel())).fetch(lambda *each: said.append(each))
    assert said == [
        ("downloading", 50, 200),
        ("downloading", 150, 200),
        ("making", 0, 4),
        ("making", 2, 4),
        ("making", 4, 4),
    ]


def test_files_that_are_not_those_that_were_pinned_are_not_kept(cache: Path) -> None:
    with pytest.raises(DataLoss, match=r"small out of parcel==1\.0 is not what it was when it was pinned") as changed:
        small(digest="0" * 64).fetch()
    assert changed.value.reason == "SET_CHANGED"
    assert changed.value.facts == {"digest": DIGEST}
    assert [path.name for path in cache.iterdir()] == [".small.lock"]


def test_a_set_whose_origin_moves_is_kept_as_it_is(cache: Path) -> None:
    each = small(digest="0" * 64, moves=True)
    assert each.fetch() == cache / "small"
    assert each.packages[0].downloads == 1  # type: ignore[attr-defined]
    each.fetch()
    assert each.packages[0].downloads == 1  # type: ignore[attr-defined]


def test_a_set_whose_origin_moves_is_made_anew_once_it_is_pinned_anew() -> None:
    parcel = Parcel()
    small(digest="0" * 64, moves=True, packages=(parcel,)).fetch()
    upgraded = small(digest="1" * 64, moves=True, packages=(parcel,))
    upgraded.fetch()
    upgraded.fetch()
    assert parcel.downloads == 2


def test_a_module_that_is_missing_is_named_before_anything_is_downloaded(cache: Path) -> None:
    with pytest.raises(FailedPrecondition, match=r"pip install 'modelyard\[gallery\]'") as missing:
        small(needs=("no_such_module",), packages=(Parcel(size=0),)).fetch()
    assert missing.value.reason == "MODULE_MISSING"
    assert not cache.exists()


def test_a_client_that_is_missing_is_named_before_anything_is_downloaded(cache: Path) -> None:
    first = Parcel()
    with pytest.raises(FailedPrecondition, match="there is no client"):
        small(packages=(first, Parcel(missing=True))).fetch()
    assert first.downloads == 0
    assert not cache.exists()


def test_a_client_is_not_missed_where_the_set_was_made_before() -> None:
    small().fetch()
    small(packages=(Parcel(missing=True),)).fetch()


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("x"), EOFError("x"), IndexError("x")])
def test_a_package_that_holds_something_else_is_named(cache: Path, error: Exception) -> None:
    def fail(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
        (folder / "half").write_bytes(b"half")
        raise error

    with pytest.raises(DataLoss, match=r"parcel==1\.0 does not hold what small is made of: ") as unreadable:
        small(fail).fetch()
    assert unreadable.value.reason == "SET_UNREADABLE"
    assert [path.name for path in cache.iterdir()] == [".small.lock"]


def test_what_a_killed_import_left_is_cleared_away(cache: Path) -> None:
    (cache / ".small.new" / "made").mkdir(parents=True)
    (cache / "small").mkdir()
    (cache / "small" / "half").write_bytes(b"half")
    folder = small().fetch()
    assert [path.name for path in folder.rglob("*")] == ["train", "file"]
    assert not (cache / ".small.new").exists()


def test_a_cache_that_cannot_be_written_is_named(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file in its place")
    with pytest.raises(FailedPrecondition, match="point XDG_CACHE_HOME to another folder"):
        small().fetch()


def test_a_licence_of_one_word_is_an_spdx_name() -> None:
    words = {each.licence for each in gallery.SETS.values() if " " not in each.licence}
    assert words
    assert all(map(licences.address, words))


def test_a_server_that_is_away_is_told_before_anything_is_downloaded() -> None:
    parcel = Parcel()

    class Datasets:
        def get(self, name: str) -> None:
            raise Unavailable(f"nobody to ask for {name}")

    class Client:
        datasets = Datasets()

    with pytest.raises(Unavailable, match="nobody to ask for mine"):
        small(packages=(parcel,)).bring(Client(), "mine")  # type: ignore[arg-type]
    assert parcel.downloads == 0


class Projects:
    def __init__(self, *there: str) -> None:
        self._there = there

    def get(self, name: str) -> None:
        if name not in self._there:
            raise NotFound(f"there is no project {name}")


class NoDatasets:
    def get(self, name: str) -> None:
        raise NotFound(f"there is no {name}")


def test_a_project_that_is_not_there_is_told_before_anything_is_downloaded() -> None:
    parcel = Parcel()
    client: Any = SimpleNamespace(project="gone", projects=Projects("default"), datasets=NoDatasets())
    with pytest.raises(NotFound, match="there is no project gone"):
        small(packages=(parcel,)).bring(client)
    assert parcel.downloads == 0


def test_bringing_says_what_the_files_do_not() -> None:
    calls: list[dict[str, Any]] = []

    class Datasets(NoDatasets):
        def push_sources(self, name: str, sources: Any, **other: Any) -> str:
            calls.append({"name": name, "paths": list(sources), **other})
            return "pushed"

    client: Any = SimpleNamespace(project="default", projects=Projects("default"), datasets=Datasets())
    small(seed=3).bring(client)
    small(name="moved", digest="0" * 64, moves=True).bring(client, "mine", silent)
    first, second = calls
    assert (first["name"], first["paths"]) == ("small", ["train/file"])
    assert first["generated"] == {"by": "modelyard gallery", "seed": 3}
    assert first["options"] is MNIST.options
    assert "moved" not in first["labels"]
    assert (second["name"], second["generated"]) == ("mine", None)
    assert second["labels"]["moved"] == "parcel==1.0 is no more what it was when moved was pinned"


def test_one_at_a_time_makes_a_set(cache: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Kept("small").scratch():
            other = pool.submit(small().fetch)
            with pytest.raises(TimeoutError):
                other.result(0.2)
            assert not (cache / "small").exists()
        assert other.result(10) == cache / "small"
