"""What of a failed job's log is worth showing."""

from modelyard.cli.outcome import LAST_LINES, last_lines

GREETINGS = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795569379.405362       2 port.cc:153] oneDNN custom operations are on.",
    "TensorFlow 2.21.0, Keras 3.15.1: cpu",
]
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "keras/fit.py", line 1, in fit',
    "    raise error",
    "ValueError: no",
]


def test_the_greetings_of_tensorflow_say_nothing() -> None:
    assert last_lines([*GREETINGS, "mine"], traceback_shown=False) == ["mine"]


def test_a_traceback_that_was_shown_in_short_is_not_shown_in_full() -> None:
    assert last_lines(["Epoch 1", *TRACEBACK, "Epoch 2", *TRACEBACK], traceback_shown=True) == ["Epoch 1", "Epoch 2"]
    assert last_lines(["Epoch 1", *TRACEBACK], traceback_shown=False) == ["Epoch 1", *TRACEBACK]


def test_of_a_long_log_the_end_is_shown() -> None:
    assert last_lines(map(str, range(5000)), traceback_shown=True) == [str(n) for n in range(5000 - LAST_LINES, 5000)]
