import io
import json
import math
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from modelyard.layouts import DataUnreadable, LayoutUnknown, Table
from modelyard.layouts.detection import with_known_splits
from tests.support.pictures import picture
from tests.support.sounds import wav
from tests.support.trees import described, detected, tree, whole
from tests.unit.layouts.test_tables import adult


def test_json_lines_are_rows() -> None:
    rows = [{"text": f"this is the text {at}", "label": at % 2 == 0, "n": at, "tags": [at]} for at in range(40)]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"text": "no label"}\n{nope\n[1]\n'
    description, found, problems = whole({"a.jsonl": text})
    assert description.table == Table("jsonl")
    assert [(each.name, each.kind) for each in description.features[:3]] == [
        ("text", "text"),
        ("label", "category"),
        ("n", "number"),
    ]
    assert description.classes == ("false", "true")
    assert found["train"].columns["text"][0].startswith(b"this is the text")
    assert sorted(problem.split(":")[1] for problem in problems) == ["41", "42", "43"]
    assert problems[1].endswith("is list, not an object with keys")


def test_a_key_that_turns_up_late_is_a_problem() -> None:
    text = '{"x": 1, "y": 2.5}\n' * 10_001 + '{"x": 1, "z": 3}\n'
    _, _, problems = whole({"a.jsonl": text})
    assert problems == ["a.jsonl:10002: has the key 'z', which the first rows do not have"]


def parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def test_parquet_files_are_rows() -> None:
    columns = {
        "age": pyarrow.array([at if at % 7 else None for at in range(60)], pyarrow.int32()),
        "job": pyarrow.array(["clerk", "boss"] * 30).dictionary_encode(),
        "when": pyarrow.array([at * 10**6 for at in range(60)], pyarrow.timestamp("us")),
        "label": pyarrow.array([at % 2 == 0 for at in range(60)]),
        "list": pyarrow.array([[1, 2]] * 60),
    }
    description, findings = detected({"a.parquet": parquet(columns)})
    _, rows, _ = whole({"a.parquet": parquet(columns)})
    assert [(each.name, each.kind) for each in description.features] == [
        ("age", "number"),
        ("job", "category"),
        ("when", "time"),
        ("label", "category"),
    ]
    assert "column 'list' is left out: it holds lists, structures or bytes" in findings.notes
    at = rows["train"].origins.index("a.parquet:8")
    assert math.isnan(rows["train"].columns["age"][at])
    assert rows["train"].columns["when"][at] == 7


def test_a_damaged_parquet_file_is_named() -> None:
    whole_file = parquet({"x": list(range(1000)), "y": [at % 2 for at in range(1000)]})
    for damaged in (whole_file[:-9], whole_file[:100], b"PAR1", b"nothing of the kind"):
        with pytest.raises(DataUnreadable, match=r"^a\.parquet is not a Parquet file that can be read"):
            detected({"a.parquet": damaged})


def test_a_column_that_names_images_makes_a_set_of_images() -> None:
    files: dict[str, str | bytes] = {f"photos/{at}.png": picture(at) for at in range(30)}
    labels = "file,label\n" + "".join(f"{at}.png,{'cat' if at % 2 else 'dog'}\n" for at in range(30))
    labels += "gone.png,cat\n"
    files["photos/broken.png"] = b"\x89PNG\r\n\x1a\n"
    files["labels.csv"] = labels + "broken.png,dog\n"
    description, rows, problems = whole(files)
    file, label = description.features
    assert (description.modality, file.kind, file.dtype, file.folder) == ("image", "image", "uint8", "photos/")
    assert (label.role, label.classes) == ("target", ("cat", "dog"))
    assert rows["train"].columns["file"][0] in files.values()
    assert problems == [
        "labels.csv:32: column 'file': there is no file photos/gone.png",
        "labels.csv:33: column 'file': photos/broken.png ends after 8 bytes, inside its header",
    ]


def test_each_split_can_have_its_own_table_beside_its_files() -> None:
    files: dict[str, str | bytes] = {}
    for split, count in (("train", 20), ("test", 4)):
        files |= {f"{split}/{at}.png": picture(at) for at in range(count)}
        files[f"{split}/metadata.csv"] = "file_name,label\n" + "".join(f"{at}.png,{at % 2}\n" for at in range(count))
    description, rows, _ = whole(files)
    assert description.features[0].folder == "./"
    assert {name: len(found.origins) for name, found in rows.items()} == {"train": 20, "test": 4}


def labelled(count: int) -> str:
    return "file_name,label\n" + "".join(f"{at}.png,{at % 2}\n" for at in range(count))


@pytest.mark.parametrize(
    ("tables", "train", "test"),
    [
        ("", "train", "test"),
        ("labels/", "images/train", "images/test"),
        ("labels/", "images/Train", "images/Testing"),
        ("data/", "data/train", "data/test"),
        ("", "train/pictures", "test/pictures"),
        ("", "train_images", "test_images"),
        ("", "test_of_2019/train", "test_of_2019/test"),
    ],
)
def test_rows_of_a_split_have_the_files_of_its_folder(tables: str, train: str, test: str) -> None:
    files: dict[str, str | bytes] = {f"{train}/{at}.png": picture(at) for at in range(12)}
    files |= {f"{test}/{at}.png": picture(100 + at) for at in range(8)}
    _, rows, problems = whole({**files, f"{tables}train.csv": labelled(12), f"{tables}test.csv": labelled(8)})
    assert problems == []
    for found in rows.values():
        for origin, image in zip(found.origins, found.columns["file_name"], strict=True):
            table, row = origin.split(":")
            folder = train if table.endswith("train.csv") else test
            assert image == files[f"{folder}/{int(row) - 2}.png"]


def test_rows_of_a_split_never_have_the_files_of_another() -> None:
    files: dict[str, str | bytes] = {f"train/{at}.png": picture(at) for at in range(12)}
    files |= {f"test/{at}.png": picture(100 + at) for at in range(4)}
    _, rows, problems = whole({**files, "train.csv": labelled(12), "test.csv": labelled(5)})
    assert problems == ["test.csv:6: column 'file_name': there is no file test/4.png"]
    assert len(rows["test"].origins) == 4


def test_a_table_names_files_from_a_folder_of_folders_on() -> None:
    files: dict[str, str | bytes] = {f"data/images/{name}/{at}.png": picture(at) for name in "ab" for at in range(9)}
    files["data/labels.csv"] = "file,mark\n" + "".join(
        f"{name}/{at}.png,{at % 2}\n" for name in "ab" for at in range(9)
    )
    _, rows, problems = whole(files)
    assert problems == []
    assert sum(len(found.origins) for found in rows.values()) == 18


@pytest.mark.parametrize("other", [[], ["val"], ["test"]])
def test_tables_of_two_splits_share_a_folder(other: list[str]) -> None:
    files: dict[str, str | bytes] = {f"train/{at}.png": picture(at) for at in range(12)}
    val = "file_name,label\n" + "".join(f"{at}.png,{at % 2}\n" for at in range(8, 12))
    files |= {f"{folder}/{at}.png": picture(at) for folder in other for at in range(100, 130)}
    _, rows, problems = whole({**files, "train.csv": labelled(8), "val.csv": val})
    assert problems == []
    assert {name: len(found.origins) for name, found in rows.items()} == {"train": 8, "validation": 4}


@pytest.mark.parametrize(
    ("table", "options", "image"),
    [
        (["file_name,label", "{0}.png,{1}"], {}, "file_name"),
        (["age,file_name", "{1},{0}.png"], {}, "file_name"),
        (["id,label", "{0},{1}"], {}, "id"),
        (["label,number", "{1},{0}"], {}, "number"),
        (["digit,number", "{0},{1}"], {"target": "digit"}, "number"),
        (["digit,number", "{0},{1}"], {"features": {"digit": {"kind": "category"}}}, "number"),
    ],
)
def test_numbers_are_no_names_of_images_beside_a_column_that_names_them(
    table: list[str], options: dict[str, Any], image: str
) -> None:
    header, row = table
    files: dict[str, str | bytes] = {f"images/{at}.png": picture(at) for at in range(30)}
    files["labels.csv"] = f"{header}\n" + "".join(row.format(at, at % 7) + "\n" for at in range(30))
    description = whole(files, **options)[0]
    assert [each.name for each in description.features if each.kind == "image"] == [image]
    assert [each.role for each in description.features if each.name != image] == ["target"]


def test_two_columns_of_numbers_name_images_where_they_differ_alike() -> None:
    files: dict[str, str | bytes] = {f"images/{at:04}.png": picture(at) for at in range(30)}
    files["pairs.csv"] = "one,two,label\n" + "".join(f"{at:04},{29 - at:04},{at % 2}\n" for at in range(30))
    assert [each.kind for each in described(files).features] == ["image", "image", "category"]


def test_columns_that_whoever_pushes_says_to_be_images_all_are() -> None:
    files: dict[str, str | bytes] = {f"images/{at}.png": picture(at) for at in range(30)}
    files["pairs.csv"] = "one,two,label\n" + "".join(f"{at},{29 - at},{at % 2}\n" for at in range(30))
    images = {name: {"kind": "image"} for name in ("one", "two")}
    assert [each.kind for each in described(files, features=images).features] == ["image", "image", "category"]


def test_sounds_with_their_transcripts_and_without_endings() -> None:
    files: dict[str, str | bytes] = {f"wavs/LJ-{at}.wav": wav(50, seed=at) for at in range(20)}
    files["metadata.csv"] = "".join(f'LJ-{at}|"Printing, number {at} was said here.\n' for at in range(20))
    description, rows, problems = whole(files)
    audio, text = description.features
    assert (description.modality, audio.folder, audio.suffix) == ("audio", "wavs/", ".wav")
    assert (text.kind, text.role) == ("text", "target")
    assert rows["train"].columns["column_2"][0].startswith(b'"Printing, number')
    assert problems == []


def test_files_that_a_table_names_must_be_there() -> None:
    files: dict[str, str | bytes] = {"labels.csv": "file,label\n" + "".join(f"{at}.png,{at % 2}\n" for at in range(9))}
    with pytest.raises(
        LayoutUnknown, match=r"column 'file' of labels\.csv names files such as '0\.png', which are not"
    ):
        detected(files)


def test_a_table_at_the_top_of_class_folders_is_a_note_unless_it_names_files() -> None:
    files: dict[str, str | bytes] = {f"{name}/{at}.png": picture(at) for name in ("cat", "dog") for at in range(9)}
    files["notes.csv"] = "what,who\nlight,ann\n"
    assert described(files).layout == "class_folders"


@pytest.mark.parametrize("beside", [["docs/notes.txt"], ["docs/fig.png"], ["docs/notes.txt", "src/notes.txt"]])
def test_a_table_beside_folders_of_notes_is_the_table(beside: list[str]) -> None:
    description, findings = detected({"d.csv": adult(), **dict.fromkeys(beside, picture())})
    assert description.layout == "table"
    more = " and 1 more" if len(beside) > 1 else ""
    assert f"not used: {beside[0]}{more}, which no column names" in findings.notes


def test_a_table_of_notes_is_none_beside_folders_of_few_images() -> None:
    files: dict[str, str | bytes] = {f"{at % 20}/{at}.png": picture(at) for at in range(30)}
    notes = "\n".join(f"{at},what number {at} is about" for at in range(20))
    assert described({**files, "notes.csv": notes}).layout == "class_folders"


def test_a_table_that_is_not_used_beside_class_folders_is_named() -> None:
    files: dict[str, str | bytes] = {f"{name}/{at}.png": picture(at) for name in ("cat", "dog") for at in range(9)}
    description, findings = detected({**files, "d.csv": adult()})
    assert description.layout == "class_folders"
    assert "not used: d.csv; --layout table takes tables for the examples, not the folders" in findings.notes


def test_a_table_finds_its_files_in_folders_of_splits_that_got_another_name() -> None:
    own: dict[str, str | bytes] = {f"{top}/{at}.png": picture(at) for top in ("train", "val") for at in range(9)}
    table = "file,label\n" + "".join(f"{path},{at % 2}\n" for at, path in enumerate(own))
    renamed = {known: own[path] for path, known in with_known_splits(tree(own)).items()}
    assert "validation/0.png" in renamed
    _, rows, problems = whole({**renamed, "labels.csv": table})
    assert problems == []
    assert sum(len(split.origins) for split in rows.values()) == 18
    assert {image for split in rows.values() for image in split.columns["file"]} == set(own.values())


def test_a_name_that_another_column_has_is_not_given_to_the_source_or_the_target() -> None:
    rows = [(f"this is what was written {at} times", f"it was written {at} times") for at in range(40)]
    text = "article,summary,source\n" + "".join(f"{article},{summary},\n" for article, summary in rows)
    description, found, _ = whole({"a.csv": text}, target="summary")
    assert [(each.name, each.role) for each in description.features] == [
        ("article", "input"),
        ("summary", "target"),
        ("source", "ignore"),
    ]
    assert found["train"].columns["article"][0] == b"this is what was written 0 times"
    lines = "".join(
        json.dumps({"article": article, "summary": summary, "source": "web"}) + "\n" for article, summary in rows
    )
    ignored = {"source": {"role": "ignore"}}
    assert [each.name for each in whole({"a.jsonl": lines}, target="summary", features=ignored)[0].features] == [
        "article",
        "summary",
        "source",
    ]
