"""The template on two series that come again day by day but not on weekends, with hours missing, and what it serves."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.channel import SilentChannel
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.evaluate.forecasts import calendar_moved
from modelyard.templates.series import read
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import ask, golden, refused, samples
from tests.integration.templates.evaluations import run
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

FIRST = datetime(2024, 1, 1)
DAYS, WINDOW, HORIZON = 42, 48, 12


def load(hour: int, where: str, random: np.random.Generator) -> float:
    """A day's wave, nothing on weekends; the south needs three times as much."""
    moment = FIRST + timedelta(hours=hour)
    wave = 10 + 8 * np.sin(2 * np.pi * moment.hour / 24)
    return float((3 if where == "south" else 1) * (wave * (moment.weekday() < 5) + random.normal(0, 0.3)))


def table(days: range, *, missing: int = 0, where: tuple[str, ...] = ("north", "south")) -> bytes:
    random = np.random.default_rng(days.start)
    left_out = set(random.choice(24 * len(days), missing, replace=False).tolist())
    rows = ["when,load,place"]
    for name in where:
        for hour in range(24 * days.start, 24 * days.stop):
            if hour - 24 * days.start not in left_out:
                moment = FIRST + timedelta(hours=hour)
                rows.append(f"{moment:%Y-%m-%d %H:%M},{load(hour, name, random):.3f},{name}")
    return "\n".join(rows).encode() + b"\n"


def prepare(folder: Path, files: dict[str, bytes]) -> Path:
    prepare_dataset(folder, files, options=Options(target="load"))
    return folder


def train(dataset: Path, folder: Path, **parameters: Any) -> Trial:
    few = {"epochs": 4, "window": WINDOW, "horizon": HORIZON, "units": 16, "learning_rate": 0.005, "dropout": 0}
    return try_package(SHIPPED / "forecasting", folder, dataset=dataset, **{**few, **parameters})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files = {"train.csv": table(range(35), missing=20), "test.csv": table(range(35, DAYS))}
    return prepare(tmp_path_factory.mktemp("load") / "dataset", files)


@pytest.fixture(scope="module")
def trial(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = train(dataset, tmp_path_factory.mktemp("trial"))
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def evaluation(dataset: Path, trial: Trial, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("evaluation"), dataset, trial.model, split="test")


def test_while_it_learns_it_says_a_few_forecasts_and_what_came(trial: Trial) -> None:
    told = samples(trial.printed)
    assert len(told) == 4
    said, came = (np.array([[float(value) for value in each[at].split()] for each in told[-1]]) for at in (1, 2))
    assert said.shape == came.shape == (4, 6)
    assert [path.split(",")[0] for path, _, _ in told[-1]] == ["north", "north", "south", "south"]
    assert np.abs(said - came).mean() < 0.5 * np.abs(came - came.mean()).mean()


def test_it_forecasts_better_than_the_day_before(evaluation: dict[str, Any]) -> None:
    assert evaluation["kind"] == "forecasting"
    assert evaluation["metrics"]["mae"] < 0.6 * evaluation["floors"]["mae"]["value"]
    assert evaluation["floors"]["mae"]["by"] == "repeating the last 1 day"
    assert evaluation["metrics"]["skill"] > 0.4
    assert [each["name"] for each in evaluation["by_series"]] == ["south", "north"]
    assert {name: len(values) for name, values in evaluation["by_step"].items()} == dict.fromkeys(
        ("forecast", "season", "linear"), HORIZON
    )


def test_the_calendar_and_the_order_of_the_past_are_what_it_goes_by(evaluation: dict[str, Any]) -> None:
    mixed, moved = evaluation["controls"]
    assert (mixed["name"], moved["name"]) == ("load out of order", "when moved by 12 hours")
    assert mixed["value"] > 1.3 * mixed["as_is"]
    assert moved["value"] > 1.3 * moved["as_is"]


@pytest.mark.parametrize(
    ("step_h", "moved_h"), [(1, 12), (5, 10), (18, 18), (24, 3 * 24), (7 * 24, 26 * 7 * 24), (52 * 7 * 24, 52 * 7 * 24)]
)
def test_the_calendar_is_moved_by_half_of_the_shortest_period_that_it_can_see(step_h: int, moved_h: int) -> None:
    assert calendar_moved(3600 * step_h) == 3600 * moved_h


def test_missing_hours_are_named(trial: Trial, evaluation: dict[str, Any]) -> None:
    said = "steps of 1 hour are missing, the first 2024-01-"
    assert any(said in note for note in evaluation["notes"])
    assert said in trial.printed


def test_it_takes_the_last_values_and_the_time_of_the_last_one(trial: Trial) -> None:
    description = json.loads((trial.model / "modelyard.model.json").read_text())
    assert description["task"] == "forecasting"
    assert description["inputs"] == {"load": "number", "place": "category", "when": "time"}
    random = np.random.default_rng(5)
    past = [load(24 * 36 + hour - WINDOW, "south", random) for hour in range(WINDOW)]
    found = ask(trial.model, load=[past, past], when=["2024-02-05T23:00", "2024-02-05 23:00:00Z"], place=["south", "?"])
    assert found["times"][0].tolist()[:2] == [b"2024-02-06T00:00", b"2024-02-06T01:00"]
    truth = [load(24 * 36 + hour, "south", random) for hour in range(HORIZON)]
    assert np.abs(found["forecast"][0] - truth).mean() < 6
    assert np.isfinite(found["forecast"]).all()
    kept = golden(trial.model)
    assert kept["serving_default/outputs/forecast"].shape[1:] == (HORIZON,)


def test_a_past_that_is_hardly_known_and_a_time_that_is_none_are_refused_in_a_sentence(trial: Trial) -> None:
    past = np.full((1, WINDOW), np.nan, np.float32)
    past[0, :20] = 7.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"of which at least 24 must be known; known are only.*20"):
        ask(trial.model, load=list(past), when=["2024-02-05T23:00"], place=["south"])
    past[:] = 7.0
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"when is the time of the last known value.*yesterday"):
        ask(trial.model, load=list(past), when=["yesterday"], place=["south"])
    for never in ("2024-13-01", "2024-02-32", "2024-02-05T25:00", "2024-02-05T23:61"):
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"when is the time of.*{never}"):
            ask(trial.model, load=list(past), when=[never], place=["south"])


def moments(rows: int, step_s: int) -> bytes:
    stamps = (FIRST + timedelta(seconds=step_s * row) for row in range(rows))
    return "".join(
        ["when,load\n", *(f"{at.isoformat()},{row % 7 + 0.25 * (row % 3)}\n" for row, at in enumerate(stamps))]
    ).encode()


@pytest.mark.parametrize("step_s", [7 * 24 * 3600, 90], ids=["weeks", "a minute and a half"])
def test_series_without_a_day_or_a_year_to_go_by_are_forecast_too(tmp_path: Path, step_s: int) -> None:
    rows = moments(90, step_s).splitlines(keepends=True)
    split = {"train.csv": b"".join(rows[:71]), "test.csv": b"".join([rows[0], *rows[71:]])}
    done = train(prepare(tmp_path / "dataset", split), tmp_path, window=10, horizon=5, epochs=1)
    assert done.status == 0, done.printed
    last = FIRST + timedelta(seconds=step_s * 69)
    found = ask(done.model, load=[[float(row) for row in range(10)]], when=[last.isoformat()])
    expected = [last + timedelta(seconds=step_s * ahead) for ahead in range(1, 6)]
    assert [datetime.fromisoformat(bytes(at).decode()) for at in found["times"][0]] == expected
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    assert run(evaluation, tmp_path / "dataset", done.model, split="test")["kind"] == "forecasting"


@pytest.mark.soak
@pytest.mark.parametrize("network", ["lstm", "linear"])
def test_every_network_forecasts(dataset: Path, tmp_path: Path, network: str) -> None:
    done = train(dataset, tmp_path, network=network, epochs=8)
    assert done.status == 0, done.printed
    (tmp_path / "evaluation").mkdir()
    found = run(tmp_path / "evaluation", dataset, done.model, split="test")
    assert found["metrics"]["mae"] < found["floors"]["mae"]["value"]


def opened(dataset: Path) -> Context:
    spec = JobSpec(job="j", attempt=1, code=str(dataset), entry="train", fd=-1, dataset=dataset.name)
    return Context(spec, dataset.parent, SilentChannel())


def test_a_series_that_has_hardly_a_value_is_left_out_and_named_and_the_others_go_on(tmp_path: Path) -> None:
    rare = b"2024-01-02 05:00,1.0,east\n2024-01-04 07:30,1.0,east\n2024-01-08 05:10,1.0,east\n"
    files = {"train.csv": table(range(10)) + rare, "test.csv": table(range(10, 12))}
    grid = read(opened(prepare(tmp_path / "dataset", files)))
    assert [each.name for each in grid.series] == [b"north", b"south"]
    says = "1 series are left out, as at least every 4th is needed: series 'east' has 3 values in 145 steps of 1 hour"
    assert says in grid.notes


def test_where_every_series_has_hardly_a_value_they_are_refused(tmp_path: Path) -> None:
    rare = b"".join(b"2024-01-0%d 0%d:00,%d.5\n" % (day, hour, day) for day, hour in ((2, 5), (2, 6), (8, 5)))
    files = {"train.csv": b"when,load\n" + rare, "test.csv": b"when,load\n2024-01-09 05:00,1.5\n"}
    says = "the series has 4 values in 169 steps of 1 hour; at least every 4th is needed"
    assert says in str(refused("forecasting", prepare(tmp_path / "dataset", files)))


def test_a_time_that_is_there_once_for_each_of_two_columns_is_refused_with_what_makes_one_of_them(
    tmp_path: Path,
) -> None:
    def sold(days: range, ware: str) -> bytes:
        rows = [
            f"2024-01-{day:02},{day + number},{shop},{ware[0]}{number}"
            for shop in ("north", "south")
            for number in (1, 2)
            for day in days
        ]
        return "\n".join([f"when,load,place,{ware}", *rows, ""]).encode()

    files = {"train.csv": sold(range(1, 20), "ware"), "test.csv": sold(range(20, 30), "ware")}
    found = str(refused("forecasting", prepare(tmp_path / "dataset", files), series="place", window=4, horizon=2))
    assert "series 'north' has 2024-01-01T00:00 twice; leave one of them out, or, where other columns tell" in found
    assert "too (there is ware), write all that do into one column of texts, such as 'north-3', and say --set" in found


def test_what_is_no_series_is_refused_in_a_sentence(tmp_path: Path) -> None:
    short = {"train.csv": table(range(2)), "test.csv": table(range(2, 3))}
    says = "the longest series, north, has 72 steps; a window takes 168 steps of 1 hour to forecast from and 24 to"
    assert says in str(refused("forecasting", prepare(tmp_path / "short", short)))
    rows = table(range(10), where=("north",)) + b"2024-01-03 05:00,1.0,north\n"
    twice = prepare(tmp_path / "twice", {"train.csv": rows, "test.csv": table(range(10, 12), where=("north",))})
    assert "train.csv:242: series 'north' has 2024-01-03T05:00 twice" in str(refused("forecasting", twice, window=24))
    rows = table(range(10), where=("north",)) + b"2024-01-10 23:00,2.0,north\n"
    hashed = prepare(tmp_path / "hashed", {"all.csv": rows})
    assert "all.csv:242: series 'north' has 2024-01-10T23:00 twice" in str(refused("forecasting", hashed, window=24))
    rows = table(range(10), where=("north",)) + b"2024-01-11 05:13,1.0,north\n"
    uneven = prepare(tmp_path / "uneven", {"train.csv": rows, "test.csv": table(range(11, 14), where=("north",))})
    found = str(refused("forecasting", uneven, window=24))
    assert "train.csv:242: 2024-01-11T05:13 is no whole number of steps of 1 hour" in found
