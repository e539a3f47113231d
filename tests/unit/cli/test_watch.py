"""What of a job's progress becomes a line."""

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import plain
from modelyard.cli.watch import Reports, _milestone, metrics

NAME = "projects/p/jobs/first"


def job(**progress: object) -> job_pb2.Job:
    return job_pb2.Job(name=NAME, progress=job_pb2.Progress(**progress))  # type: ignore[arg-type]


def test_each_text_is_shown_once_and_again_when_it_changes() -> None:
    reports = Reports(job())
    assert reports.new(job(texts={"note": "begun"})) == ["note: begun"]
    assert reports.new(job(texts={"note": "begun"})) == []
    assert reports.new(job(texts={"note": "half", "gate ops": "passed"})) == ["gate ops: passed", "note: half"]


def test_an_image_is_mentioned_once_with_how_to_look_at_it() -> None:
    reports = Reports(job())
    assert reports.new(job(images={"mistakes": "images/mistakes/1.png"})) == [
        "image mistakes; to look at it: modelyard jobs outputs first FOLDER"
    ]
    assert reports.new(job(images={"mistakes": "images/mistakes/2.png"})) == []


def test_what_a_job_says_does_nothing_to_the_terminal() -> None:
    assert Reports(job()).new(job(texts={"note": "\x1b[31mred\x1b[0m\x07\x1b]0;title"})) == ["note: red��]0;title"]
    assert plain("tab\tand\nline") == "tab\tand\nline"


def test_with_epochs_each_epoch_is_a_line() -> None:
    assert _milestone(job(step=10, total_steps=100, epoch=2, epochs=3).progress) == ("epoch 2/3", "epoch 2/3")


@pytest.mark.parametrize(("total", "most"), [(0, 12), (1000, 11), (7, 8)])
def test_without_epochs_there_are_few_lines_however_many_steps(total: int, most: int) -> None:
    steps = total or 2000
    keys = {_milestone(job(step=step, total_steps=total).progress)[0] for step in range(1, steps + 1)}
    assert 1 < len(keys) <= most


def test_the_best_known_metrics_come_first_and_any_name_is_shown() -> None:
    shown = metrics(job(metrics={"perplexity": 1234567.0, "loss": 0.5, "rate": 0.00001, "accuracy": 0.75}))
    assert shown == "loss 0.5000  accuracy 0.7500  perplexity 1.235e+06  rate 1.000e-05"
