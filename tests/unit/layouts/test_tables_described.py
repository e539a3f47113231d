"""A table's description: what it claims, what people can say, and that reading agrees with it on any table."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts import DataUnreadable, LayoutError
from tests.support.pictures import picture
from tests.support.trees import described, detected, read_back, tree, whole
from tests.unit.layouts.test_tables import adult, cells, kinds


def test_what_a_column_is_can_be_said() -> None:
    features = {"age": {"kind": "category"}, "gain": {"role": "ignore"}, "job": {"kind": "text"}}
    assert kinds({"a.csv": adult()}, features=features) == {
        "age": ("category", "input"),
        "job": ("text", "input"),
        "gain": ("number", "ignore"),
        "salary": ("category", "input"),
    }


@pytest.mark.parametrize(("odd", "shape"), [((8, 6), (6, 8, 1)), ((9, 6), (6, None, 1))])
def test_images_that_a_column_names_are_described_with_the_size_that_all_of_them_have(
    odd: tuple[int, int], shape: tuple[int | None, ...]
) -> None:
    images = {f"{number}.png": picture(number, size=odd if number == 3 else (8, 6)) for number in range(6)}
    text = "image,transcript\n" + "".join(f"{name},plate {number}\n" for number, name in enumerate(images))
    assert described({"a.csv": text, **images}).features[0].shape == shape


def test_a_number_that_is_asked_for_makes_other_values_problems() -> None:
    text = "x,label\n" + "1,a\n2,b\n" * 9 + "many,a\n"
    description, _, problems = whole({"a.csv": text}, features={"x": {"kind": "number"}})
    assert description.features[0].kind == "number"
    assert problems == ["a.csv:20: has 'many' in column 'x', which is no number"]


@pytest.mark.parametrize(
    ("files", "reason", "said"),
    [
        ({"a.csv": ""}, "EMPTY", "a.csv is empty"),
        ({"a.csv": "\n\n"}, "EMPTY", "a.csv has blank lines only"),
        ({"a.csv": "x,y\n"}, "EMPTY", "a.csv has no rows under its header"),
        ({"a.csv": "x,x\n1,2\n"}, "DATA_UNREADABLE", "a.csv has two columns 'x'"),
        ({"a.csv": "x,y\n1\n2\n"}, "ROWS_UNUSABLE", "a.csv:2 has 1 field; there are 2 columns (2 of 2 rows can't"),
        ({"a.csv": "x,label\n" + "1,a\n" * 9}, "ONE_CLASS", "column 'label' of a.csv, the target, has one class only"),
        ({"a.csv": "id,label\n" + "1,a\n2,b\n" * 9}, "NO_INPUTS", "a.csv has no column that a model could look at"),
        ({"a.jsonl": '[{"x": 1}]'}, "DATA_UNREADABLE", "a.jsonl is one JSON array; write one object a line"),
        ({"a.json": '[{"x": 1}]'}, "NO_EXAMPLES", "jq -c '.[]' a.json > a.jsonl"),
        ({"test.csv": "x,y\n1,2\n", "dev.csv": "x,y\n1,2\n"}, "NO_TRAINING_EXAMPLES", "no row belongs to the split"),
        ({"train.csv": "x,y\n1,2\n", "test.csv": "x,y\n", "c.csv": "x,y\n"}, "SPLIT_UNKNOWN", "c.csv does not"),
        ({"a.csv.gz": b"\x1f\x8b\x08\x00"}, "NO_EXAMPLES", "there is no data"),
    ],
)
def test_what_is_no_table_says_what_was_seen(files: dict[str, str | bytes], reason: str, said: str) -> None:
    with pytest.raises(LayoutError) as refused:
        detected(files)
    assert (refused.value.reason, said in refused.value.message) == (reason, True), refused.value.message


def test_a_description_that_claims_other_columns_is_refused() -> None:
    description = described({"adult.csv": adult()})
    with pytest.raises(DataUnreadable, match="has no column 'gain', which the description claims"):
        read_back(description, tree({"adult.csv": adult().replace("gain", "gone")}))
    with pytest.raises(DataUnreadable, match="is named by the description, but the tree does not have it"):
        read_back(description, {})


def test_a_class_that_is_not_claimed_is_a_problem() -> None:
    description = described({"adult.csv": adult()}, target="salary")
    _, problems = read_back(description, tree({"adult.csv": adult() + "1,clerk,2,maybe\n"}))
    assert str(problems[0]) == ("adult.csv:102: has 'maybe' in column 'salary', which is no class of the description")


@given(st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=30), st.booleans())
def test_who_describes_and_who_reads_agree_on_any_table(rows: list[list[str]], well_formed: bool) -> None:
    import csv

    out = io.StringIO()
    if well_formed:
        csv.writer(out).writerows([["first", "second", "y"], *([*row, "1", "2"][:3] for row in rows)])
    else:
        out.write("first,second,y\n" + "\n".join(",".join(row) for row in rows))
    files: dict[str, str | bytes] = {"a.csv": out.getvalue()}
    try:
        detected(files)
    except LayoutError:
        return
    whole(files)


@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.jsonl", "a.tsv", "a.parquet", "a.txt"]))
def test_any_bytes_are_a_data_set_or_refused_with_a_reason(data: bytes, name: str) -> None:
    try:
        detected({name: data})
    except LayoutError:
        return
    whole({name: data})
