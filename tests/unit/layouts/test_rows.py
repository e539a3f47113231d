"""Rows of tables: how many come together, and texts that are no texts."""

import io
import json
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from modelyard.layouts import DataUnreadable
from modelyard.layouts.chunks import Problems
from modelyard.layouts.rows import Batch, read_rows, read_shape
from modelyard.layouts.rows.batch import BATCH_CHARACTERS, BATCH_ROWS
from modelyard.layouts.strict_json import parse_strictly
from tests.support.trees import InMemory, whole

HEAVY = 1 << 20


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out, **options)
    return out.getvalue()


def table(format: str, texts: list[str]) -> InMemory:
    if format == "csv":
        return InMemory(("text,n\n" + "".join(f'"{text}",{at}\n' for at, text in enumerate(texts))).encode())
    if format == "jsonl":
        return InMemory("".join(json.dumps({"text": text, "n": at}) + "\n" for at, text in enumerate(texts)).encode())
    return InMemory(parquet({"text": texts, "n": range(len(texts))}))


def batches(format: str, file: InMemory) -> list[Batch]:
    path, problems = f"a.{format}", Problems()
    found = list(read_rows(path, file, read_shape(path, file, format), problems))
    assert problems.count == 0
    return found


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_light_rows_come_by_their_number(format: str) -> None:
    found = batches(format, table(format, [f"text {at}" for at in range(3000)]))
    assert [len(batch.rows) for batch in found] == [BATCH_ROWS, BATCH_ROWS, 3000 - 2 * BATCH_ROWS]
    assert [row[1] for batch in found for row in batch.rows] == [str(at) for at in range(3000)]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_heavy_rows_come_by_their_characters(format: str) -> None:
    light = ["light"] * 2000
    texts = [*light, *(str(at % 10) * HEAVY for at in range(40)), *light]
    found = batches(format, table(format, texts))
    weights = [sum(len(row[0]) for row in batch.rows) for batch in found]
    assert max(weights) <= BATCH_CHARACTERS + 2 * HEAVY
    assert [row[0] for batch in found for row in batch.rows] == texts
    numbers = [number for batch in found for number in batch.numbers]
    assert numbers == list(range(numbers[0], numbers[0] + len(texts)))


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_a_row_that_is_heavier_than_a_batch_may_be_is_one(format: str) -> None:
    texts = ["a", "b" * (BATCH_CHARACTERS - 100), "c"]
    assert [row[0] for batch in batches(format, table(format, texts)) for row in batch.rows] == texts


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (f"{'b' * (5 << 19)},b\n", "a.csv:22: is longer than 1 MiB"),
        (f"{'b' * (1 << 20)},b", "a.csv:22: is longer than 1 MiB"),
        (f"{'b' * ((1 << 20) - 3)},b\n", ""),
        (f"{'b' * ((1 << 20) - 1)}\r", "a.csv:22: has 1 field; there are 2 columns"),
    ],
)
def test_a_csv_line_that_is_too_long_for_memory_is_a_problem_and_no_other_is(
    line: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.layouts.rows.csv_rows.MAX_LINE_BYTES", 1 << 20)
    good = "".join(f"{at},a\n" for at in range(20))
    file, problems = InMemory(f"x,y\n{good}{line}{good if line.endswith(chr(10)) else ''}".encode()), Problems()
    rows = [
        row[0] for batch in read_rows("a.csv", file, read_shape("a.csv", file, "csv"), problems) for row in batch.rows
    ]
    assert list(map(str, problems.kept)) == ([problem] if problem else [])
    assert len(rows) == good.count("\n") * (1 + line.endswith("\n")) + (not problem)


def test_a_quote_that_is_left_open_before_a_csv_line_that_is_too_long_takes_no_other_row_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("modelyard.layouts.rows.csv_rows.MAX_LINE_BYTES", 1 << 20)
    good = "".join(f"{at},a\n" for at in range(20))
    file, problems = InMemory(f'x,y\n{good}"open,b\n1,b\n{"b" * (5 << 19)},b\n{good}'.encode()), Problems()
    found = [
        number
        for batch in read_rows("a.csv", file, read_shape("a.csv", file, "csv"), problems)
        for number in batch.numbers
    ]
    assert found == [*range(2, 22), 23, *range(25, 45)]
    assert list(map(str, problems.kept)) == [
        "a.csv:22: goes on to a line that is longer than 1 MiB: is a quote left open?",
        "a.csv:24: is longer than 1 MiB",
    ]


def strings(values: list[bytes]) -> Any:
    """Arrow believes whoever says that bytes are UTF-8."""
    plain = pyarrow.array(values, pyarrow.binary())
    return pyarrow.Array.from_buffers(pyarrow.string(), len(values), plain.buffers())


def labels(count: int) -> list[str]:
    return [("no", "yes")[at % 2] for at in range(count)]


@pytest.mark.parametrize("kind", ["plain", "large", "dictionary"])
def test_parquet_texts_that_are_no_utf_8_are_problems_of_their_rows(kind: str) -> None:
    values = [f"this is text {at}".encode() for at in range(40)]
    values[7] = b"caf\xe9"
    column = strings(values)
    if kind == "large":
        column = column.cast(pyarrow.large_string())
    if kind == "dictionary":
        column = pyarrow.DictionaryArray.from_arrays(pyarrow.array(range(40), pyarrow.int32()), column)
    _, rows, problems = whole({"a.parquet": parquet({"text": column, "label": labels(40)})})
    assert problems == ["a.parquet:8: has a text in column 'text' that is no UTF-8"]
    assert {origin for split in rows.values() for origin in split.origins} == {
        f"a.parquet:{at}" for at in range(1, 41) if at != 8
    }


def test_a_parquet_column_whose_name_is_no_utf_8_is_said() -> None:
    data = parquet({"zzzz": [1, 2]}, store_schema=False).replace(b"zzzz", b"z\xffzz")
    with pytest.raises(DataUnreadable, match=r"^a\.parquet has a column whose name is no UTF-8"):
        read_shape("a.parquet", InMemory(data), "parquet")


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_a_column_without_a_name_is_refused(format: str) -> None:
    file = parquet({"": [1, 2], "y": [3, 4]}) if format == "parquet" else b'{"y": 1}\n{"": 1, "y": 2}\n'
    with pytest.raises(DataUnreadable) as refused:
        read_shape("a", InMemory(file), format)
    assert refused.value.message == "a has a column without a name; give it one"


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "half \\ud800", "label": "yes"}',
        '{"text": ["nested", {"half \\udc00": 1}], "label": "yes"}',
        '{"text": "whole", "label": "yes", "half \\ud800": 1}',
    ],
    ids=["in a value", "in a nested key", "in a key"],
)
@pytest.mark.parametrize("first", [True, False])
def test_halves_of_characters_in_json_lines_are_problems_of_their_rows(line: str, first: bool) -> None:
    lines = [json.dumps({"text": f"this is text \U0001f600 {at}", "label": labels(40)[at]}) for at in range(40)]
    lines.insert(0 if first else 20, line)
    description, rows, problems = whole({"a.jsonl": "\n".join(lines)})
    assert problems == [f"a.jsonl:{1 if first else 21}: has half a character in it (a lone \\ud8xx)"]
    assert [each.name for each in description.features] == ["text", "label"]
    assert "\U0001f600".encode() in rows["train"].columns["text"][0]


def test_json_lines_that_all_have_half_a_character_can_be_refused_in_any_encoding() -> None:
    with pytest.raises(DataUnreadable) as refused:
        whole({"a.jsonl": '{"\\ud800": "\\udfff"}\n' * 3})
    assert "line 1 has half a character in it" in refused.value.message
    assert refused.value.message.encode()


@pytest.mark.parametrize("text", ['{"\\ud800": 1}', '{"a": ["\\udfff"]}'])
def test_json_of_strangers_holds_no_halves_of_characters(text: str) -> None:
    with pytest.raises(ValueError, match="it has half a character in it"):
        parse_strictly(text.encode(), 100)
    assert parse_strictly(b'{"a": "\\ud83d\\ude00"}', 100) == {"a": "\U0001f600"}
