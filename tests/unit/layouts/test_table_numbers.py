"""Numbers of tables that are written in two ways, or that are none as float32."""

import math

import pytest

from modelyard.layouts import DataUnreadable
from tests.support.trees import detected, read_back, tree, whole


def test_whole_numbers_with_and_without_a_point_are_one_class() -> None:
    train = "x,label\n" + "".join(f"{at / 7},{at % 3}\n" for at in range(60))
    test = "x,label\n" + "".join(f"{at / 7},{at % 3}.0\n" for at in range(9)) + "1.5,\n"
    description, rows, problems = whole({"train.csv": train, "test.csv": test})
    assert description.classes == ("0", "1", "2")
    assert rows["test"].columns["label"] == [0, 1, 2] * 3
    assert problems == ["test.csv:11: has no value in column 'label'"]


def test_whole_numbers_with_and_without_a_point_are_one_value_of_an_input() -> None:
    lines = "".join(f'{{"shop_id": {at % 5}{".0" * (at % 2)}, "y": {at % 2}}}\n' for at in range(60))
    description, rows, _ = whole({"a.jsonl": lines})
    assert description.features[0].classes == ("0", "1", "2", "3", "4")
    assert set(rows["train"].columns["shop_id"]) == {b"0", b"1", b"2", b"3", b"4"}


def test_as_many_classes_as_a_category_may_have_are_counted_once_each() -> None:
    text = "x,y\n" + "".join(f"{at / 7},{at % 20}{'.0' * (at % 3 == 0)}\n" for at in range(120))
    assert len(whole({"a.csv": text})[0].classes) == 20


@pytest.mark.parametrize(
    ("written", "classes"),
    [
        (["007", "7", "07"], ("007", "07", "7")),
        (["1.0", "2.0", "3.0"], ("1.0", "2.0", "3.0")),
        (["1", "1.0", "1.0-beta"], ("1", "1.0", "1.0-beta")),
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["1", "1.00", "2"], ("1", "1.00", "2")),
    ],
)
def test_other_texts_stay_classes_of_their_own(written: list[str], classes: tuple[str, ...]) -> None:
    text = "x,label\n" + "".join(f"{at / 7},{written[at % 3]}\n" for at in range(60))
    description, rows, problems = whole({"a.csv": text})
    assert (description.classes, problems) == (classes, [])
    names = {description.classes[label] for split in rows.values() for label in split.columns["label"]}
    assert names == set(written)


def test_who_reads_knows_a_class_in_either_writing() -> None:
    text = "x,label\n" + "".join(f"{at / 7},{at % 2}.0\n" for at in range(60))
    description, _ = detected({"a.csv": text})
    rows, problems = read_back(description, tree({"a.csv": text.replace(".0\n", "\n")}))
    assert (sum(len(split.origins) for split in rows.values()), problems) == (60, [])
    assert -1 not in {label for split in rows.values() for label in split.columns["label"]}


@pytest.mark.parametrize("odd", ["inf", "-Infinity", "1e39", "NAN"])
def test_a_row_whose_target_is_no_finite_number_is_left_out_by_both_who_describe_and_who_read(odd: str) -> None:
    text = "x,y\n" + "".join(f"{at},{at / 7}\n" for at in range(2000)) + f"1,{odd}\n2,\n"
    description, rows, problems = whole({"a.csv": text})
    assert description.features[1].kind == "number"
    assert sorted(problems) == [
        f"a.csv:2002: has {odd!r} in column 'y', which is no finite number of 32 bits",
        "a.csv:2003: has no value in column 'y'",
    ]
    assert all(math.isfinite(value) for split in rows.values() for value in split.columns["y"])


def test_a_number_that_is_asked_for_as_a_target_is_finite_in_every_row() -> None:
    text = "x,y\n" + "1,2\n2,3\n" * 9 + "3,inf\n"
    _, _, problems = whole({"a.csv": text}, target="y", features={"y": {"kind": "number"}})
    assert problems == ["a.csv:20: has 'inf' in column 'y', which is no finite number of 32 bits"]


def test_a_table_half_of_whose_targets_are_infinite_is_refused() -> None:
    text = "x,y\n" + "".join(f"{at},{at / 7}\n1,inf\n" for at in range(40))
    with pytest.raises(DataUnreadable, match=r"^a\.csv:3 has 'inf' in column 'y', .* \(40 of 80 rows can't be used\)"):
        detected({"a.csv": text})


def test_moments_of_which_one_is_infinite_are_numbers() -> None:
    text = "timestamp,y\n" + "".join(f"{1260759144 + at},{at / 7}\n" for at in range(40)) + "inf,1.5\n"
    description, _, problems = whole({"a.csv": text})
    assert (description.features[0].kind, problems) == ("number", [])
