"""Files and tables that are large for what a profile keeps in memory: it says the same of them."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelyard.job.index import Index
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.profile import features, files, page, portions, sorting
from modelyard.templates.profile.profiling import Profile, profile
from tests.support.pictures import picture
from tests.support.sounds import wav


def _gif(seed: int) -> bytes:
    pictures = [Image.open(io.BytesIO(picture(100 * seed + at, size=(16, 12)))) for at in range(8)]
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=100)
    return out.getvalue()


ROWS = "".join(
    f"{number % 50}.5,{'a long name ' * 8 if number % 9 == 0 else 'short'} {number % 40},word {number % 13}\n"
    for number in range(600)
)
DATASETS: dict[str, tuple[Mapping[str, bytes], dict[str, Any]]] = {
    "images": ({f"train/{'ab'[at % 2]}/{at}.png": picture(at % 9, size=(40, 30)) for at in range(12)}, {}),
    "sounds": ({f"train/{'ab'[at % 2]}/{at}.wav": wav(800 + 80 * at, seed=at % 5) for at in range(8)}, {}),
    "videos": ({f"train/{'ab'[at % 2]}/{at}.gif": _gif(at % 4) for at in range(6)}, {}),
    "tables": (
        {"train.csv": f"size,name,word\n{ROWS}".encode(), "test.csv": f"size,name,word\n{ROWS[:2000]}".encode()[:-3]},
        {"target": "word"},
    ),
}


def profiled(dataset: Path, folder: Path) -> tuple[Profile, str]:
    index = Index(dataset)
    found = profile(index, folder, "projects/p/datasets/d/versions/1")
    return found, page.render(index, found)


@pytest.mark.parametrize("kind", DATASETS)
def test_small_portions_find_what_one_portion_finds(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, options = DATASETS[kind]
    prepare_dataset(tmp_path / "dataset", data, options=Options(**options))
    whole, whole_page = profiled(tmp_path / "dataset", tmp_path / "whole")
    for module in (portions, files):
        monkeypatch.setattr(module, "PORTION_BYTES", 64)
    monkeypatch.setattr(portions, "ROWS", 7)
    monkeypatch.setattr(sorting, "RUN", 16)
    monkeypatch.setattr(features, "_TEXTS_AT_ONCE", 3)
    parts, parts_page = profiled(tmp_path / "dataset", tmp_path / "parts")
    assert _plain(parts.statistics) == _plain(whole.statistics)
    assert parts_page == whole_page
    for file in (tmp_path / "whole").iterdir():
        assert np.array_equal(np.load(file), np.load(tmp_path / "parts" / file.name))


def test_a_file_that_is_read_where_it_lies_is_said_to_be_bad_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {f"train/{'ab'[at % 2]}/{at}.png": picture(at, size=(40, 30)) for at in range(4)}
    bad = {"train/a/cut.png": picture(9, size=(64, 64))[:-300]}
    prepare_dataset(tmp_path / "dataset", {**good, **bad})
    for module in (portions, files):
        monkeypatch.setattr(module, "PORTION_BYTES", 64)
    found, _ = profiled(tmp_path / "dataset", tmp_path / "content")
    (problem,) = found.statistics["undecodable"]["examples"]
    assert problem["origin"] == "train/a/cut.png"
    assert problem["reason"].startswith("is a PNG that does not decode")


def _plain(value: Any) -> Any:
    """Sums of floats differ in their last digits by where they were cut."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value
