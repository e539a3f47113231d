"""The page of a profile: what stands in it, whatever the data has."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelyard.job.index import Index
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.profile import page
from modelyard.templates.profile.profiling import Profile, profile
from tests.support.pictures import picture
from tests.unit.layouts.test_tfrecord import example, framed

HEBREW = "שלום, עולם"
"""The comma of a line from right to left stands to the left of what follows it."""


def profiled(folder: Path, files: Mapping[str, bytes], **options: Any) -> tuple[Profile, str]:
    """What was found, and its page."""
    prepare_dataset(folder, files, options=Options(**options))
    index = Index(folder)
    found = profile(index, folder / "contents")
    return found, page.render(index, found)


def test_a_part_too_small_for_its_digits_is_said_once_escaped(tmp_path: Path) -> None:
    rows = "".join(f"{at if at else ''},{at % 2}\n" for at in range(20_001))
    _, shown = profiled(tmp_path, {"train.csv": f"x,y\n{rows}".encode()}, target="y")
    assert "<dt>missing</dt><dd>1 · &lt; 0.01 %</dd>" in shown


def test_texts_from_right_to_left_are_laid_out_so(tmp_path: Path) -> None:
    rows = "".join(f"{HEBREW} {at}\t{('טוב', 'רע')[at % 2]}\n" for at in range(20))
    _, shown = profiled(tmp_path, {"train.tsv": f"text\tlabel\n{rows}".encode()}, target="label")
    assert f"<p dir=auto>{HEBREW} " in shown
    assert "<b><bdi>טוב</bdi></b>" in shown
    assert "<bdi>עולם</bdi> 20" in shown, "among the most frequent words"
    assert "<th scope=row dir=auto>טוב</th>" in shown
    assert "<span dir=auto>טוב</span>" in shown


def test_rows_from_right_to_left_are_laid_out_so(tmp_path: Path) -> None:
    rows = "".join(f"{HEBREW};{at}\n" for at in range(9))
    _, shown = profiled(tmp_path, {"train.csv": f"said;y\n{rows}".encode()}, target="y")
    assert f"dir=auto>{HEBREW}</td>" in shown


def test_an_example_is_counted_once_though_several_of_its_features_cannot_be_read(tmp_path: Path) -> None:
    good, cut = picture(1, size=(64, 64)), picture(2, size=(64, 64))[:-300]
    bad = [(cut, cut), (cut, good), (cut, picture(3, size=(64, 64), format="JPEG")[:-900])]
    records = [example(left=[left], right=[right], y=[0.5]) for left, right in [(good, good)] * 5 + bad]
    kinds = {"left": {"kind": "image"}, "right": {"kind": "image"}, "y": {"role": "target"}}
    found, shown = profiled(tmp_path, {"train.tfrecord": framed(records)}, features=kinds)
    assert sum(split["undecodableCount"] for split in found.statistics["splits"]) == 3
    assert found.statistics["undecodable"]["exampleCount"] == 3
    reasons = {each["origin"]: each["reason"] for each in found.statistics["undecodable"]["examples"]}
    assert list(reasons) == ["train.tfrecord:6", "train.tfrecord:7", "train.tfrecord:8"]
    one, _, two = reasons.values()
    assert ("; " in one, two.count("does not decode")) == (False, 2), "a reason for each that differs"
    assert "3 examples cannot be read" in shown
