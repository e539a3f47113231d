"""`modelyard predict` asks a model that forecasts with the table that people have."""

from pathlib import Path

import pytest

from modelyard.sdk.errors import InvalidArgument
from tests.contract.cli.asking import Run
from tests.support.asked_models import Asked


def table(tmp_path: Path, *rows: str) -> str:
    path = tmp_path / "hours.csv"
    path.write_text("\n".join(("time,rider,bikers,weather", *rows)) + "\n")
    return "hours.csv"


def hours(rider: str, values: list[str], first: int = 0) -> list[str]:
    return [
        f"2011-12-31T{first + at:02}:00,{rider},{value},fine" for at, value in enumerate(values) if value != "no row"
    ]


def test_the_last_values_of_each_series_are_sent_and_the_forecast_is_a_line_a_step(
    run: Run, tmp_path: Path, models: dict[str, Asked]
) -> None:
    rows = hours("casual", ["100", "1", "2", "no row", "4", "", "6"]) + hours("registered", ["10"] * 6, 12)
    said = run("predict", "bikes", "--file", table(tmp_path, *reversed(rows)))
    assert said.stdout.splitlines() == [
        "hours.csv, registered:",
        "2011-12-31T18:00  10  ██████████████████▏",
        "2011-12-31T19:00  11  ████████████████████",
        "hours.csv, casual:",
        "2011-12-31T07:00  3.25  ███████████████▎",
        "2011-12-31T08:00  4.25  ████████████████████",
    ]
    (request,) = models["bikes"].requests
    assert list(request.inputs["time"].string_val) == [b"2011-12-31T17:00:00", b"2011-12-31T06:00:00"]


def test_a_series_that_is_too_short_and_rows_that_are_none_are_named_and_the_rest_goes_on(
    run: Run, tmp_path: Path
) -> None:
    rows = [*hours("casual", ["1"] * 6), "yesterday,casual,1,fine", "2011-12-31T05:00,casual,2,fine"]
    said = run("predict", "bikes", "--file", table(tmp_path, *rows, *hours("registered", ["3"] * 4)))
    assert said.exit_code == 1
    assert "2011-12-31T06:00  1" in said.stdout
    assert "hours.csv:8 has neither a time nor a number where one is due" in said.stderr
    assert "hours.csv:9 has the time of row 7 again" in said.stderr
    assert "hours.csv, registered has 4 steps of bikers; 6 are needed to forecast from" in said.stderr


def test_a_series_whose_times_are_of_no_one_grid_is_named(run: Run, tmp_path: Path) -> None:
    late = "2011-12-31T08:05,casual,8,fine"
    said = run("predict", "bikes", "--file", table(tmp_path, *hours("casual", ["1"] * 8), late))
    assert said.exit_code == 1
    assert (
        "hours.csv, casual has the time 2011-12-31T00:00:00, which is no whole number of steps of 3,600 s"
        in " ".join(said.stderr.split())
    )


def test_a_history_that_is_too_short_and_a_table_without_a_column_are_refused(run: Run, tmp_path: Path) -> None:
    short = run("predict", "bikes", "--row", '{"bikers": [1, 2], "time": "2011-12-31T05:00", "rider": "casual"}')
    assert isinstance(short.exception, InvalidArgument)
    assert short.exception.message == "bikers takes 6 of float32, not 2"
    (tmp_path / "other.csv").write_text("time,bikers\n2011-12-31,1\n")
    with pytest.raises(
        InvalidArgument, match=r"other\.csv has the columns time, bikers; bikes@1 forecasts from 'rider'"
    ):
        raise run("predict", "bikes", "--file", "other.csv").exception or AssertionError


def test_times_in_milliseconds_are_named_with_what_to_do(run: Run, tmp_path: Path) -> None:
    rows = [f"{1_325_376_000_000 + 3_600_000 * at},casual,{at},fine" for at in range(6)]
    said = run("predict", "bikes", "--file", table(tmp_path, *rows))
    assert "hours.csv:2 has 1325376000000 as its time, which is no number of seconds since 1970; milliseconds" in (
        said.stderr
    )
    assert said.exit_code == 1
