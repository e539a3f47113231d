"""What text generation reads: whole texts, or stretches of them, and never a text with holes."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelyard.job.index import Index
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Description, Feature, Split, SplitRule
from modelyard.layouts.splitting import hash_split
from modelyard.templates.corpus import SPLITS, documents, is_cut


def text(name: str, lines: int) -> str:
    """Every fifth line is followed by an empty one."""
    return "".join(f"line {number} of {name}\n" + "\n" * (number % 5 == 0) for number in range(1, lines + 1)) + "end\n"


def context(folder: Path, texts: dict[str, str], description: Description | None = None) -> Any:
    prepare_dataset(folder, {name: content.encode() for name, content in texts.items()}, description)
    return SimpleNamespace(data=SimpleNamespace(index=Index(folder)))


def hashed(texts: dict[str, str], held_out: dict[str, int]) -> Description:
    lines = [line for each in texts.values() for line in each.splitlines() if line]
    counts = Counter(hash_split(line, held_out) for line in lines)
    return Description(
        modality="text",
        layout="lines",
        features=(Feature("text", "text", "string"),),
        splits=tuple(Split(name, counts[name]) for name in SPLITS),
        split_rule=SplitRule("hash", held_out=held_out),
        files=dict.fromkeys(sorted(texts), ""),
    )


def read(job: Any) -> dict[str, list[tuple[str, str]]]:
    return {
        split: [(each.name, each.text) for each in documents(job, split, "text")] for split in job.data.index.splits
    }


def test_of_one_file_the_end_is_held_out_and_nothing_in_between(tmp_path: Path) -> None:
    whole = text("it", 300)
    job = context(tmp_path, {"it.txt": whole})
    found = read(job)
    assert is_cut(job)
    (_, train), (_, test) = *found["train"], *found["test"]
    assert whole == train + "\n" * (len(whole) - len(train) - len(test)) + test
    assert len(whole) - len(train) - len(test) <= 1, "an empty line where it is cut"
    assert len(test) / len(whole) == pytest.approx(0.1, abs=0.01)


def test_files_stand_one_behind_the_other_and_every_split_keeps_its_share(tmp_path: Path) -> None:
    texts = {name: text(name, 200) for name in ("b.txt", "a:1.txt", "c.txt")}
    job = context(tmp_path, texts, hashed(texts, {"validation": 10, "test": 40}))
    found = read(job)
    assert [[name for name, _ in found[split]] for split in SPLITS] == [
        ["a:1.txt", "b.txt"],
        ["b.txt"],
        ["b.txt", "c.txt"],
    ]
    assert (found["train"][0][1], found["test"][-1][1]) == (texts["a:1.txt"], texts["c.txt"])
    lines = {split: sum(bool(line) for _, part in found[split] for line in part.split("\n")) for split in SPLITS}
    assert lines == {"train": 301, "validation": 60, "test": 242}, "50, 10 and 40 percent of 603"
    parts = [part for split in SPLITS for name, part in found[split] if name == "b.txt"]
    assert "".join(parts).replace("\n\n", "\n") == texts["b.txt"].replace("\n\n", "\n")


def test_files_that_name_their_split_stay_as_they_are(tmp_path: Path) -> None:
    texts = {name: "\n" + text(name, 50) for name in ("train-b.txt", "train-a.txt", "test-c.txt")}
    job = context(tmp_path, texts)
    assert not is_cut(job)
    assert read(job) == {
        "train": [(name, texts[name]) for name in ("train-a.txt", "train-b.txt")],
        "test": [("test-c.txt", texts["test-c.txt"])],
    }


def test_examples_that_are_whole_texts_stay_as_they_are(tmp_path: Path) -> None:
    rows = [f"text {number}" for number in range(100)]
    job = context(tmp_path, {"texts.csv": "text,label\n" + "".join(f"{row},{row[-1]}\n" for row in rows)})
    found = read(job)
    assert not is_cut(job)
    assert sorted(part for split in found.values() for _, part in split) == sorted(rows)
