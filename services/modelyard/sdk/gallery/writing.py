"""Writes tables as files, the same on every machine."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

SPLITS = ("train", "validation", "test")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """UTF-8, commas, a header, `\\n` between lines."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_splits(folder: Path, header: Sequence[str], rows: Mapping[str, Iterable[Sequence[object]]]) -> None:
    """`train.csv`, `validation.csv`, `test.csv`: one a split that has rows."""
    for split, each in rows.items():
        write_csv(folder / f"{split}.csv", header, each)


def write_pairs(folder: Path, rows: Mapping[str, Sequence[tuple[str, str]]], languages: tuple[str, str]) -> None:
    """`<split>.<language>`: two files a split."""
    for split, pairs in rows.items():
        for place, language in enumerate(languages):
            text = "".join(f"{pair[place]}\n" for pair in pairs)
            (folder / f"{split}.{language}").write_text(text, encoding="utf-8", newline="\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """UTF-8, one JSON object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
