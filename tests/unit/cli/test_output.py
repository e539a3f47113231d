import io
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.cli.output import (
    age,
    bytes_text,
    duration_text,
    json_text,
    metrics_text,
    plain,
    show_all,
    show_done,
    show_facts,
    state_text,
)


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (54_950_048, "55.0 MB"), (3 * 10**12, "3.0 TB")]
)
def test_sizes_are_said_in_the_units_of_disks(size: int, said: str) -> None:
    assert bytes_text(size) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0s"), (89, "89s"), (120, "2m"), (7200, "2h"), (200_000, "2d")])
def test_durations_are_said_roughly(seconds: float, said: str) -> None:
    assert duration_text(seconds) == said


def test_an_age_is_since_then_and_a_missing_one_a_dash() -> None:
    stamp = Timestamp()
    assert age(stamp) == "–"
    stamp.FromDatetime(datetime.now(UTC) - timedelta(minutes=5))
    assert age(stamp) == "5m ago"
    stamp.FromDatetime(datetime.now(UTC) + timedelta(minutes=5))
    assert age(stamp) == "0s ago"


def test_states_and_metrics_are_words() -> None:
    assert state_text("STATE_RUNNING") == "running"
    assert metrics_text({"loss": 0.0341234, "accuracy": 0.98912}.items()) == "accuracy 0.9891  loss 0.03412"


def listed(*names: str, as_json: bool = False) -> None:
    messages = [dataset_pb2.Dataset(name=name, latest_version=3) for name in names]

    def row(message: Any) -> tuple[str, ...]:
        return message.name, str(message.latest_version)

    show_all(messages, ("NAME", "LATEST"), row, as_json=as_json, empty="there is none")


def test_a_list_is_a_table_or_json_and_an_empty_one_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    listed("a", "b")
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["NAME", "LATEST"],
        ["a", "3"],
        ["b", "3"],
    ]
    listed("a", as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"name": "a", "latest_version": "3"}]
    listed()
    assert capsys.readouterr().out == "there is none\n"
    listed(as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_facts_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("name", "mnist@1"), ("why", "")])
    assert capsys.readouterr().out.split() == ["name", "mnist@1"]


def test_what_is_in_brackets_is_text_and_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("why", "shape [28, 28] [bold]is[/bold] odd")])
    assert "shape [28, 28] [bold]is[/bold] odd" in capsys.readouterr().out


def test_a_line_for_a_script_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    listed("projects/default/datasets/" + "long" * 50, "b")
    lines = capsys.readouterr().out.splitlines()
    assert [len(line.split()) for line in lines] == [2, 2, 2]


def test_a_long_line_does_not_fill_up_the_others_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    show_facts([("state", "failed"), ("why", "x" * 600)])
    assert capsys.readouterr().out.splitlines() == ["state  failed", f"why    {'x' * 600}"]


def test_what_was_done_is_said_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    show_done(as_json=False, name="mnist")
    assert capsys.readouterr().out == ""
    show_done(as_json=True, name="mnist", version=3)
    assert json.loads(capsys.readouterr().out) == {"name": "mnist", "version": 3}


@pytest.mark.parametrize("text", ["می\u200cخواهم", "👨\u200d👩\u200d👧", "日本　語", "10\u202f000 \u00a0km", "a\tb\nc"])
def test_what_people_write_is_shown_as_they_write_it(text: str) -> None:
    assert plain(text) == text


def test_a_soft_hyphen_shows_nowhere() -> None:
    assert plain("Donau\u00addampf") == "Donaudampf"


@pytest.mark.parametrize(
    "odd", ["\x07", "\x1b", "\x7f", "\x9b", "\r", "\u202e", "\u2066", "\u200f", "\u2028", "\ufeff"]
)
def test_what_commands_a_terminal_or_turns_text_around_is_not_passed_on(odd: str) -> None:
    assert plain(f"a{odd}b") == "a�b"


def test_json_is_ascii_where_stdout_takes_no_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"name": "Größe – 日本 😀"}
    assert json_text(value) == '{"name": "Größe – 日本 😀"}'
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "latin-1"))
    text = json_text(value)
    assert text.isascii()
    assert json.loads(text) == value
