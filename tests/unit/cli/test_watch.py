"""What of a job's progress becomes a line."""

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import plain
from modelyard.cli.watch import Lines, Reports, _milestone, metrics
from modelyard.sdk.jobs import State

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


def training(step: int, epoch: int, epochs: int, **metrics: float) -> job_pb2.Job:
    told = job(stage="training", step=step, total_steps=10 * epochs, epoch=epoch, epochs=epochs, metrics=metrics)
    told.state = State.STATE_RUNNING
    return told


def test_an_epoch_is_a_line_once_it_has_ended_with_what_it_came_to() -> None:
    lines = Lines()
    assert lines.new(training(3, 1, 20, loss=0.9)) == []
    assert lines.new(training(10, 1, 20, loss=0.5, val_loss=0.6)) == ["epoch 1/20  loss 0.5000  val_loss 0.6000"]
    assert lines.new(training(14, 2, 20, loss=0.4, val_loss=0.6)) == []


def test_an_epoch_whose_end_was_not_seen_is_a_line_when_the_next_one_or_the_end_is_seen() -> None:
    lines = Lines()
    lines.new(training(8, 1, 20, loss=0.9))
    assert lines.new(training(12, 2, 20, loss=0.4)) == ["epoch 1/20  loss 0.9000"]
    done = training(200, 20, 20)
    done.state = State.STATE_SUCCEEDED
    assert lines.new(done) == ["epoch 2/20  loss 0.4000", "succeeded"]


@pytest.mark.parametrize("state", [State.STATE_FAILED, State.STATE_CANCELLED, State.STATE_QUEUED])
def test_an_epoch_within_which_an_attempt_ends_is_no_line(state: State.ValueType) -> None:
    lines = Lines()
    lines.new(training(8, 1, 20, loss=0.9))
    ended = training(8, 1, 20, loss=0.9)
    ended.state = state
    assert [line for line in lines.new(ended) if "epoch" in line] == []


def test_the_last_epoch_is_a_line_when_what_comes_behind_training_is_seen() -> None:
    lines = Lines()
    lines.new(training(58, 6, 20, loss=0.9))
    exporting = training(60, 6, 20)
    exporting.progress.stage = "exporting"
    assert lines.new(exporting)[0] == "epoch 6/20  loss 0.9000"


def test_few_epochs_have_lines_between() -> None:
    lines = Lines()
    said = [line for step in range(1, 31) for line in lines.new(training(step, -(-step // 10), 3))]
    assert said[:4] == [
        "epoch 1/3  step 1 of 30",
        "epoch 1/3  step 3 of 30",
        "epoch 1/3  step 6 of 30",
        "epoch 1/3  step 9 of 30",
    ]
    assert said[4:6] == ["epoch 1/3", "epoch 2/3  step 11 of 30"]
    assert said[-1] == "epoch 3/3"


@pytest.mark.parametrize(("total", "most"), [(0, 12), (1000, 11), (7, 8)])
def test_without_epochs_there_are_few_lines_however_many_steps(total: int, most: int) -> None:
    steps = total or 2000
    keys = {_milestone(job(step=step, total_steps=total).progress)[0] for step in range(1, steps + 1)}
    assert 1 < len(keys) <= most


def test_the_best_known_metrics_come_first_and_any_name_is_shown() -> None:
    shown = metrics(job(metrics={"perplexity": 1234567.0, "loss": 0.5, "rate": 0.00001, "accuracy": 0.75}))
    assert shown == "loss 0.5000  accuracy 0.7500  perplexity 1.235e+06  rate 1.000e-05"
