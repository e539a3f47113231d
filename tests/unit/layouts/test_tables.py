import math
from typing import Any

import pytest
from hypothesis import strategies as st

from modelyard.layouts import DataUnreadable, LayoutUnknown, SplitRule
from tests.support.trees import described, detected, whole


def adult(rows: int = 100, delimiter: str = ",") -> str:
    lines = [["age", "job", "gain", "salary"]]
    lines += [
        [str(20 + at % 50), ["clerk", "boss", "farmer"][at % 3], str(at * 1.5), ">50K" if at % 4 else "<=50K"]
        for at in range(rows)
    ]
    return "".join(delimiter.join(line) + "\n" for line in lines)


def kinds(files: dict[str, str | bytes], **options: Any) -> dict[str, tuple[str, str]]:
    return {each.name: (each.kind, each.role) for each in described(files, **options).features}


def test_columns_are_numbers_and_categories_and_the_target_is_the_one_that_is_named() -> None:
    description, rows, problems = whole({"adult.csv": adult()}, target="salary")
    age, job, gain, salary = description.features
    assert (description.modality, description.layout, description.files) == ("table", "table", {"adult.csv": ""})
    assert (age.kind, age.dtype, age.role) == ("number", "float32", "input")
    assert (job.kind, job.dtype, job.classes) == ("category", "string", ("boss", "clerk", "farmer"))
    assert (gain.kind, salary.dtype, salary.classes) == ("number", "int64", ("<=50K", ">50K"))
    assert rows["train"].columns["job"][:2] == [b"clerk", b"boss"]
    assert rows["train"].columns["salary"][:2] == [0, 1]
    assert rows["train"].origins[:2] == ["adult.csv:2", "adult.csv:3"]
    assert problems == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ", "])
def test_the_delimiter_is_found_out(delimiter: str) -> None:
    description, rows, _ = whole({"adult.csv": adult(delimiter=delimiter)})
    assert description.table is not None
    assert (description.table.delimiter, len(description.features)) == (delimiter.strip(" "), 4)
    assert rows["train"].columns["job"][0] == b"clerk"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_utf_8_and_utf_16_are_read(encoding: str) -> None:
    _, rows, _ = whole({"a.csv": "x,label\n1,čaj\n2,káva\n3,čaj\n".encode(encoding)})
    assert [len(rows["train"].columns["label"]), rows["train"].columns["x"]] == [3, [1, 2, 3]]


def test_another_encoding_is_refused_with_the_byte_and_the_line() -> None:
    with pytest.raises(DataUnreadable) as refused:
        detected({"a.csv": b"x,y\n" + b"1,tea\n" * 40_000 + b"1,caf\xe9\n" + b"1,tea\n" * 9})
    assert refused.value.message.startswith("a.csv is no UTF-8: byte 0xe9 at 240,009, in line 40,002; convert it")
    assert refused.value.message.endswith("a.csv > utf8.csv")
    assert refused.value.reason == "NOT_UTF8"


def test_quoted_fields_hold_delimiters_and_line_breaks() -> None:
    text = 'text,label\n"one, two\nthree",a\n"say ""hi""",b\n' + "plain words in here,a\n" * 20
    _, rows, _ = whole({"a.csv": text})
    texts = dict(zip(rows["train"].origins, rows["train"].columns["text"], strict=True))
    assert texts["a.csv:2"] == b"one, two\nthree"
    assert texts["a.csv:4"] == b'say "hi"'


def test_rows_with_other_numbers_of_fields_are_named_and_the_rest_goes_on() -> None:
    text = adult() + "1,2\n1,clerk,3,<=50K,5\n"
    _, rows, problems = whole({"adult.csv": text})
    assert problems == [
        "adult.csv:102: has 2 fields; there are 4 columns",
        "adult.csv:103: has 5 fields; there are 4 columns",
    ]
    assert sum(len(split.origins) for split in rows.values()) == 100


def test_a_quote_that_is_left_open_takes_no_other_row_with_it() -> None:
    lines = adult().splitlines(keepends=True)
    lines.insert(10, '30,"clerk,1,<=50K\n')
    _, rows, problems = whole({"adult.csv": "".join(lines)})
    assert problems == [
        "adult.csv:11: has 2 fields; there are 4 columns. It goes on to line 102: is a quote left open?"
    ]
    assert sum(len(split.origins) for split in rows.values()) == 100
    assert "adult.csv:12" in [*rows["train"].origins, *rows["test"].origins]


def test_a_quote_that_is_left_open_in_a_long_file_is_found_too() -> None:
    lines = adult(5000).splitlines(keepends=True)
    lines.insert(10, '30,"clerk,1,<=50K\n')
    _, rows, problems = whole({"adult.csv": "".join(lines)})
    assert problems == ["adult.csv:11: leaves a quote open: it would go on for more than 1,000 lines"]
    assert sum(len(split.origins) for split in rows.values()) == 5000


def test_a_column_that_stops_being_a_number_says_where() -> None:
    text = "x,label\n" + "".join(f"{at},{at % 2}\n" for at in range(3000)) + "n/a?,1\n"
    description, findings = detected({"a.csv": text})
    assert description.features[0].kind == "text"
    assert findings.notes == [
        "column 'x' is a text: it was a number for 3,000 rows, but a.csv:3002 has 'n/a?'; "
        "write NA where there is no value"
    ]


def test_a_table_without_a_target_says_how_one_is_named() -> None:
    rows = "".join(f"{at},{('clerk', 'boss')[at % 2]}\n" for at in range(60))
    _, findings = detected({"a.csv": f"age,job\n{rows}"})
    assert findings.notes == ["no column is the one to learn; --target COLUMN says which"]
    _, findings = detected({"a.csv": f"age,job\n{rows}"}, target="job")
    assert findings.notes == []


def test_missing_values_are_nan_and_empty() -> None:
    text = "x,job,label\n" + "1,clerk,a\nNA,,b\nNaN,null,a\n,boss,b\n" * 20
    description, rows, _ = whole({"a.csv": text})
    assert [each.kind for each in description.features] == ["number", "category", "category"]
    numbers = [*rows["train"].columns["x"], *rows.get("test", rows["train"]).columns["x"]]
    assert any(math.isnan(each) for each in numbers)
    assert set(rows["train"].columns["job"]) <= {b"clerk", b"boss", b""}


def test_infinite_numbers_are_missing_ones() -> None:
    _, rows, _ = whole({"a.csv": "x,y\n" + "inf,1.5\n-1e300,2.5\n3,4\n" * 9})
    found = [each for split in rows.values() for each in split.columns["x"]]
    assert {each for each in found if not math.isnan(each)} == {3}


def test_dates_are_seconds_since_1970() -> None:
    text = "when,y\n" + "1970-01-02,1.5\n1970-01-01 00:01:00,2.5\n1970-01-01T01:00:00+01:00,3.5\n" * 9
    description, rows, _ = whole({"a.csv": text})
    assert (description.features[0].kind, description.features[0].dtype) == ("time", "int64")
    assert {each for split in rows.values() for each in split.columns["when"]} == {86400, 60, 0}


def test_a_row_without_the_target_is_a_problem() -> None:
    _, _, problems = whole({"a.csv": "x,label\n" + "1,a\n2,b\n" * 9 + "3,\n4,NA\n"})
    assert problems == ["a.csv:20: has no value in column 'label'", "a.csv:21: has no value in column 'label'"]


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("y", [str(at % 3) for at in range(99)], "category"),
        ("label", [str(at) for at in range(99)], "category"),
        ("y", [str(at) for at in range(99)], "number"),
        ("y", [str(at / 7) for at in range(99)], "number"),
        ("target", ["yes" if at % 2 else "no" for at in range(99)], "category"),
        ("transcript", [f"what was said {at}" for at in range(99)], "text"),
        ("transcript", ["4711" for at in range(99)], "text"),
    ],
)
def test_what_a_target_is_depends_on_its_values(column: str, values: list[str], kind: str) -> None:
    text = f"x,w,{column}\n" + "".join(f"{at},{at * 2},{value}\n" for at, value in enumerate(values))
    assert kinds({"a.csv": text})[column] == (kind, "target")


def test_of_three_sides_none_is_a_target() -> None:
    text = "x,y,z\n" + "".join(f"{at},{at * 2},{at * 3}\n" for at in range(40))
    assert {role for _, role in kinds({"a.csv": text}).values()} == {"input"}


def test_a_column_with_more_than_1000_values_is_a_text() -> None:
    text = "word,y\n" + "".join(f"w{at % 1001},{at % 2}\n" for at in range(3003))
    assert kinds({"a.csv": text})["word"] == ("text", "input")
    text = "word,y\n" + "".join(f"w{at % 1000},{at % 2}\n" for at in range(3000))
    assert kinds({"a.csv": text})["word"] == ("category", "input")


def test_ids_are_ignored_and_said() -> None:
    text = "id,PassengerId,shop_id,y\n" + "".join(f"{at},{900 + at},{at % 5},{at % 2}\n" for at in range(60))
    description, findings = detected({"a.csv": text})
    assert {each.name: (each.kind, each.role) for each in description.features} == {
        "id": ("id", "ignore"),
        "passenger_id": ("id", "ignore"),
        "shop_id": ("category", "input"),
        "y": ("category", "target"),
    }
    assert findings.notes == ["column 'PassengerId' is ignored: it is an id, with another value in nearly every row"]


def test_the_rows_numbers_that_pandas_writes_under_no_name_are_ignored() -> None:
    text = ",age,y\n" + "".join(f"{at},{at % 50},{at % 2}\n" for at in range(60))
    assert kinds({"a.csv": text}) == {
        "column_1": ("id", "ignore"),
        "age": ("number", "input"),
        "y": ("category", "target"),
    }


def test_files_named_after_splits_are_splits() -> None:
    files: dict[str, str | bytes] = {"adult-train.csv": adult(30), "adult-dev.csv": adult(4), "test.csv": adult(5)}
    description, rows, _ = whole(files)
    assert description.split_rule == SplitRule("file")
    assert {name: len(found.origins) for name, found in rows.items()} == {"train": 30, "validation": 4, "test": 5}


def test_a_column_can_say_the_split() -> None:
    text = "x,split,label\n" + "1,train,a\n2,Train,b\n3,val,a\n4,TEST,b\n" * 3 + "5,holdout,a\n"
    description, rows, problems = whole({"a.csv": text})
    assert description.split_rule == SplitRule("split_column", "split")
    assert {name: len(found.origins) for name, found in rows.items()} == {"train": 6, "validation": 3, "test": 3}
    assert problems == ["a.csv:14: is of split 'holdout'; splits are train, validation and test"]


def test_rows_of_one_group_stay_together() -> None:
    text = "x,family,label\n" + "".join(f"{at},f{at % 60},{at % 2}\n" for at in range(600))
    description, rows, _ = whole({"a.csv": text}, split_by="family")
    assert description.split_rule == SplitRule("column", "family", {"test": 10})
    assert description.of_role("group")[0].name == "family"
    train, test = (set(rows[name].columns["family"]) for name in ("train", "test"))
    assert test
    assert not train & test


def test_equal_rows_are_of_one_split() -> None:
    _, rows, _ = whole({"a.csv": "x,label\n" + "".join(f"{at % 40},{at % 2}\n" for at in range(400))})
    assert not set(rows["train"].columns["x"]) & set(rows["test"].columns["x"])


def test_a_changed_column_is_named() -> None:
    files: dict[str, str | bytes] = {"train.csv": adult(), "test.csv": adult().replace("gain", "Gain")}
    with pytest.raises(DataUnreadable) as refused:
        detected(files)
    assert refused.value.message == (
        "train.csv has 'gain' as column 3, test.csv has 'Gain'; the columns must be the same"
    )
    assert refused.value.reason == "COLUMNS_DIFFER"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ("age,job,salary\n", "has 4 columns, test.csv 3: it has 'gain' besides"),
        ("job,age,gain,salary\n", "has the columns of test.csv in another order: age, job, gain, salary"),
        ("age;job;gain;salary\n1;a;2;b\n", "has a comma between its fields, test.csv a semicolon"),
    ],
)
def test_other_columns_in_another_file_are_told_apart(other: str, said: str) -> None:
    with pytest.raises(DataUnreadable) as refused:
        detected({"train.csv": adult(), "test.csv": other})
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("options", "reason", "said"),
    [
        ({"target": "wage"}, "NO_SUCH_COLUMN", "--target 'wage': there is no such column; there are age, job, gain"),
        ({"split_by": "wage"}, "NO_SUCH_COLUMN", "--split-by 'wage'"),
        ({"layout": "tables"}, "LAYOUT_UNKNOWN", "'tables' is no layout; there are auto"),
        ({"layout": "idx"}, "LAYOUT_UNKNOWN", "there are no training images: it has 1 × .csv"),
        ({"layout": "lines"}, "NO_EXAMPLES", "there is no text in this folder: it has 1 × .csv"),
        ({"modality": "image"}, "OTHER_MODALITY", "this is table in layout table, not image: age is number"),
        ({"features": {"wage": {"kind": "number"}}}, "NO_SUCH_COLUMN", "--features 'wage'"),
        ({"features": {"age": {"kind": "smell"}}}, "FEATURES_WRONG", "column 'age' can't be of kind 'smell'"),
        ({"features": {"age": {"role": "king"}}}, "FEATURES_WRONG", "'age' can't have role 'king'"),
    ],
)
def test_wrong_wishes_are_refused(options: dict[str, Any], reason: str, said: str) -> None:
    with pytest.raises(LayoutUnknown) as refused:
        detected({"adult.csv": adult()}, **options)
    assert (refused.value.reason, said in refused.value.message) == (reason, True)


cells = st.text(st.sampled_from('ab1.-,;"\n\t NA'), max_size=6)
