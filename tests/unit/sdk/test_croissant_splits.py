"""Croissant: the split that a reader finds is the one that a job reads, and it is among those that are declared."""

from typing import Any

import pytest

from tests.support.croissant import boxes, described, examples_of, extracted
from tests.support.pictures import idx_pair, picture

TERM = "http://mlcommons.org/croissant/"
ROWS = "size,colour\n" + "".join(f"{at},{'rb'[at % 2]}\n" for at in range(8))
SPLITS = {"train": "TrainingSplit", "validation": "ValidationSplit", "test": "TestSplit"}


def declared(document: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """What each split is called -> what that means, and how many examples are of it."""
    splits = document["recordSet"][0]
    return {row["splits/name"]: (row["splits/url"], row["splits/examples"]) for row in splits["data"]}


@pytest.mark.parametrize(
    "files",
    [
        {"train.csv": "train train", "test.csv": "test test"},
        {"Train.csv": "Train train", "TEST.CSV": "TEST test"},
        {"adult-train-1.csv": "train train", "adult-test-1.csv": "test test"},
        {"latest-training.csv": "training train", "val2017.csv": "val validation"},
        {"train.csv": "train train", "dev.csv": "dev validation", "valid.csv": "valid validation"},
        {"dev-clean/train.csv": "train train", "dev-clean/test.csv": "test test"},
        {"test_batch/train.csv": "train train", "test_batch/validate.csv": "validate validation"},
        {"train/test_a.csv": "train train", "dev/train.csv": "dev validation"},
    ],
)  # fmt: skip
def test_a_table_s_split_can_be_read_from_its_path_however_that_says_it(files: dict[str, str]) -> None:
    document = described(dict.fromkeys(files, ROWS))
    field = examples_of(document)["split"]
    assert field["references"] == {"field": {"@id": "splits/name"}}
    for path, said in files.items():
        word, split = said.split()
        assert extracted(field, path) == word
        assert extracted(field, f"folder/{path}") == word
        assert declared(document)[word][0] == TERM + SPLITS[split]
    assert set(declared(document)) == {said.split()[0] for said in files.values()}


def test_of_two_words_for_one_split_each_has_the_examples_of_both() -> None:
    counts = declared(described({"train.csv": ROWS, "dev.csv": ROWS, "val.csv": ROWS}))
    assert {word: count for word, (_, count) in counts.items()} == {"train": 8, "dev": 16, "val": 16}


def test_paths_that_say_their_splits_in_two_ways_have_no_field_of_splits() -> None:
    document = described({"train/dev-1.csv": ROWS, "dev-data/x-test-1.csv": ROWS})
    assert "split" not in examples_of(document)
    assert set(declared(document)) == {"train", "test"}


@pytest.mark.parametrize("path", ["train/a/1.png", "train/test/1.png", "test/a/train.png", "test/train/1.png"])
def test_the_first_folder_is_the_split_of_class_folders(path: str) -> None:
    files = {f"{split}/{name}/0.png": picture(0) for split in ("train", "test") for name in ("a", "test", "train")}
    field = examples_of(described(files | {path: picture(1)}))["split"]
    assert extracted(field, path) == path.partition("/")[0]
    assert extracted(field, f"folder/{path}") == path.partition("/")[0]


def test_idx_files_that_are_called_t10k_are_the_test_split() -> None:
    files = {**dict(idx_pair("train", [0, 1, 2])), **dict(idx_pair("t10k", [0, 1]))}
    document = described(files)
    field = examples_of(document)["split"]
    assert {extracted(field, path) for path in files} == {"train", "t10k"}
    assert declared(document) == {"train": (TERM + "TrainingSplit", 3), "t10k": (TERM + "TestSplit", 2)}


@pytest.mark.parametrize("validation", ["val2017", "valid", "Val"])
def test_the_split_of_images_with_boxes_can_be_read_from_their_folders(validation: str) -> None:
    images = {f"images/{split}/{name}.png": picture(1) for split, name in (("train", "a"), (validation, "b"))}
    document = described(images | {"train.json": boxes("a.png"), "val.json": boxes("b.png")})
    field = examples_of(document)["split"]
    words = [extracted(field, path) for path in images]
    assert words == ["train", validation.removesuffix("2017")]
    assert declared(document)[words[1]] == (TERM + "ValidationSplit", 1)


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        (("0.png", "1.png"), ("2.png",)),
        (("train_0.png", "val_1.png"), ("val_2.png",)),
        (("test_drive_0.png", "test_drive_1.png"), ("test_drive_2.png",)),
    ],
)
def test_images_with_boxes_whose_paths_do_not_say_their_splits_have_no_field_of_splits(
    train: tuple[str, ...], validation: tuple[str, ...]
) -> None:
    document = described(
        {f"images/{name}": picture(at) for at, name in enumerate(train + validation)}
        | {
            "annotations/instances_train.json": boxes(*train),
            "annotations/instances_val.json": boxes(*validation),
        }
    )
    assert set(examples_of(document)) == {"image"}
    assert set(declared(document)) == {"train", "validation"}


def test_every_word_of_a_column_of_splits_is_declared_as_it_is_written() -> None:
    words = ("Training", "dev", "TEST", "Training")
    rows = "".join(f"{at},{words[at % 4]},{at % 2}\n" for at in range(40))
    document = described({"all.csv": f"x,split,label\n{rows}"})
    assert examples_of(document)["split"]["references"] == {"field": {"@id": "splits/name"}}
    assert declared(document) == {
        "Training": (TERM + "TrainingSplit", 20),
        "dev": (TERM + "ValidationSplit", 10),
        "TEST": (TERM + "TestSplit", 10),
    }


def test_a_column_of_splits_whose_words_nobody_has_counted_refers_to_none() -> None:
    rows = "".join(f"{at},{('train', 'dev')[at % 2]},{at % 3}\n" for at in range(40))
    document = described({"all.csv": f"x,split,label\n{rows}"}, features={"split": {"kind": "text"}})
    assert "references" not in examples_of(document)["split"]
    assert set(declared(document)) == {"train", "validation"}
