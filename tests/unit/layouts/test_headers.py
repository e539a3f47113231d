"""Whether the first row of a CSV file names the columns."""

import pytest

from tests.support.trees import detected, whole


def rows(*, index: bool = False, label: bool = True, count: int = 60) -> str:
    found = [[f"{at / 7}", f"{at / 3}", f"{at * 5}", *(["ab"[at % 2]] if label else [])] for at in range(count)]
    return "".join(",".join([*([str(at)] if index else []), *row]) + "\n" for at, row in enumerate(found))


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        (",0,1,2,label\n" + rows(index=True), ["column 1", "0", "1", "2", "label"]),
        ("0,1,2,label\n" + rows(), ["0", "1", "2", "label"]),
        ("0,1,2\n" + rows(label=False), ["0", "1", "2"]),
        ("1,2,3\n" + rows(label=False), ["1", "2", "3"]),
        ("0,1,label\n" + "0,1,a\n1,0,b\n0,0,a\n" * 20, ["0", "1", "label"]),
    ],
)
def test_numbers_that_count_the_columns_name_them(text: str, headers: list[str]) -> None:
    description, findings = detected({"a.csv": text})
    assert [each.header for each in description.features] == headers
    assert sum(description.examples.values()) == 60
    assert not any("--header" in note for note in findings.notes)


@pytest.mark.parametrize(
    "text",
    [
        "0,2,1\n" + rows(label=False, count=59),
        "2,3,4\n" + rows(label=False, count=59),
        "5.1,3.5,1\n" + rows(label=False, count=59),
        "1,a\n" + "".join(f"{at / 7},{'ab'[at % 2]}\n" for at in range(59)),
        "0,1\n0,2\n1,2\n" * 20,
        "".join(f"{at},{1 - at % 2},what was said {at * at}\n" for at in range(60)),
    ],
)
def test_a_first_row_of_other_numbers_is_an_example_which_a_note_says(text: str) -> None:
    description, rows, _ = whole({"a.csv": text})
    assert description.features[0].header == "column 1"
    assert sum(len(split.origins) for split in rows.values()) == 60
    _, findings = detected({"a.csv": text})
    said = (
        "the first row of a.csv is an example, so columns are called 'column 1' and so on; "
        "--header says that it names them"
    )
    assert findings.notes.count(said) == 1
    assert said not in detected({"a.csv": text}, header=False)[1].notes
