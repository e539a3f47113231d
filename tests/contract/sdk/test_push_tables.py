"""`datasets push` of other data than images, and what `datasets show` says of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist
from tests.support.catalog import RunningCatalog

Run = Callable[..., Awaitable[str]]


@pytest.fixture
def run(catalog: RunningCatalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("MODELYARD_SERVER", catalog.address)
    monkeypatch.setenv("MODELYARD_TOKEN", catalog.issuers.token("editor", "default", "users/ann"))
    monkeypatch.chdir(tmp_path)

    async def invoke(*arguments: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, app, hoist(arguments))
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    return invoke


def people(folder: Path) -> Path:
    """A table with a row that is too short, and a column that stops being a number."""
    rows = [f"{20 + at},{['clerk', 'boss'][at % 2]},f{at % 30},{at % 2}" for at in range(99)]
    path = folder / "people.csv"
    path.write_text("\n".join(["Age,job,family,rich", *rows, "1,clerk", "old,boss,f1,1\n"]))
    return path


async def test_a_table_is_pushed_with_what_was_understood_and_what_was_left_out(run: Run, tmp_path: Path) -> None:
    said = await run("datasets", "push", "people", str(people(tmp_path)), "--target", "rich", "--split-by", "family")
    assert "column 'Age' is a text: it was a number for 99 rows, but people.csv:102 has 'old'" in said
    assert "1 example is left out:\n  people.csv:101: has 2 fields; there are 4 columns" in said
    shown = await run("datasets", "show", "people")
    for part in ("table, table", "hash of column family: 10 % test", "2 classes: boss, clerk", "target", "column Age"):
        assert part in shown


async def test_a_script_gets_the_same_as_json(run: Run, tmp_path: Path) -> None:
    pushed: dict[str, Any] = json.loads(
        await run("datasets", "push", "people", str(people(tmp_path)), "--target", "rich", "-o", "json")
    )
    assert (pushed["problem_count"], pushed["problems"]) == (1, ["people.csv:101: has 2 fields; there are 4 columns"])
    assert len(pushed["notes"]) == 1
    again = json.loads(await run("datasets", "push", "people", str(people(tmp_path)), "--target", "rich", "-o", "json"))
    assert (again["version"], again["unchanged"]) == (pushed["version"], True)


async def test_a_file_of_features_and_other_wishes_are_heard(run: Run, tmp_path: Path) -> None:
    (tmp_path / "features.json").write_text('{"Age": {"kind": "number"}, "job": {"role": "ignore"}}')
    said = await run("datasets", "push", "people", str(people(tmp_path)), "--features", "features.json")
    assert "people.csv:102: has 'old' in column 'Age', which is no number" in said
    refused = await asyncio.to_thread(
        CliRunner().invoke, app, hoist(("datasets", "push", "people", str(people(tmp_path)), "--modality", "smell"))
    )
    assert refused.exit_code != 0
    assert "'smell' is none of image, text" in refused.output


async def test_tables_that_can_not_be_read_are_named_and_no_part_of_the_version(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("a", "b"):
        people(folder).rename(folder / f"{name}.csv")
    (folder / "c.csv").write_text("")
    (folder / "d.csv").write_text("Age,job,family,rich\n")
    (folder / "README.txt").write_text("about")
    said = await run("datasets", "push", "people", str(folder), "--target", "rich")
    assert (
        "2 files are left out of the version:\n  c.csv: is empty\n  d.csv: has no rows under its header\n"
        "2 examples are left out:\n  a.csv:101" in said
    )
    pushed = json.loads(await run("datasets", "push", "people", str(folder), "--target", "rich", "-o", "json"))
    assert pushed["left_out"] == ["c.csv: is empty", "d.csv: has no rows under its header"]
    assert pushed["unchanged"]
    await run("datasets", "pull", "people", "copy")
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {
        "README.txt",
        "a.csv",
        "b.csv",
        "modelyard.dataset.json",
    }


async def test_ratings_are_exported_with_the_tables_from_which_a_job_reads_them(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    ratings = "".join(f"{at % 7},{at % 5},{at % 9 / 2}\n" for at in range(90))
    (folder / "ratings.csv").write_text(f"userId,movieId,rating\n{ratings}")
    (folder / "movies.csv").write_text("movieId,title\n" + "".join(f"{at},Film {at}\n" for at in range(5)))
    (folder / "tags.csv").write_text("userId,movieId,tag\n1,2,fun\n")
    await run("datasets", "push", "films", str(folder))
    await run("datasets", "export", "films", "--croissant", "films.json")
    document = json.loads((tmp_path / "films.json").read_text())
    tables = {
        (records["@id"], field["source"]["fileObject"]["@id"], field["source"]["extract"]["column"])
        for records in document["recordSet"][1:]
        for field in records["field"]
    }
    assert tables == {
        ("examples", "ratings.csv", "userId"),
        ("examples", "ratings.csv", "movieId"),
        ("examples", "ratings.csv", "rating"),
        ("items", "movies.csv", "movieId"),
        ("items", "movies.csv", "title"),
    }


async def test_what_an_export_can_not_say_is_read_out_of_the_tables(run: Run, tmp_path: Path) -> None:
    rows = "".join(f"{at},{at % 7},{at % 2}\n" for at in range(40))
    (tmp_path / "numbered.csv").write_text(f",x,label\n{rows}")
    await run("datasets", "push", "numbered", "numbered.csv")
    await run("datasets", "export", "numbered", "--croissant", "numbered.json")
    (_, examples) = json.loads((tmp_path / "numbered.json").read_text())["recordSet"]
    assert [field["name"] for field in examples["field"]] == ["x", "label"]
    (tmp_path / "blanks.csv").write_text(f"size, x, label\n{rows}")
    await run("datasets", "push", "blanks", "blanks.csv")
    refused = await asyncio.to_thread(
        CliRunner().invoke, app, hoist(("datasets", "export", "blanks", "--croissant", "blanks.json"))
    )
    assert "blanks.csv has blanks around the name 'x'" in str(refused.exception)
    assert not (tmp_path / "blanks.json").exists()
