"""What common mistakes are said to be; each exception is raised by the mistake itself."""

import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from modelyard.job import code
from modelyard.job.errors import Diverged
from modelyard.job.failures import classify, describe
from modelyard.job.messages import FailureClass


def failing(folder: Path, text: str) -> BaseException:
    (folder / "train.py").write_text(text)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - every kind is wanted here
        code.run(folder, "train")
    return caught.value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_package.part", "add `no_such_package` to requirements.txt"),
        ("import sklearn", "add `scikit-learn` to requirements.txt"),
        ("x = 1\nif x\n    pass", "train.py, line 2, is not Python: expected ':': if x"),
        ("open('/nowhere/data.csv')", "there is no file '/nowhere/data.csv': a job sees its own code"),
        ("1 / 0", "ZeroDivisionError: division by zero (train.py, line 1)"),
    ],
)
def test_a_mistake_is_named_with_what_to_try(tmp_path: Path, text: str, words: str) -> None:
    failed = describe(failing(tmp_path, text), tmp_path)
    assert failed.failure_class is FailureClass.USER_CODE
    assert words in failed.message
    assert str(tmp_path) not in failed.traceback.replace("'/nowhere", "")
    assert "importlib" not in failed.traceback


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.getaddrinfo("no-such-host.invalid", 80),
        lambda: urllib.request.urlopen("http://127.0.0.1:9/mnist.npz", timeout=5),
    ],
)
def test_the_network_is_named_as_what_a_job_does_not_have(tmp_path: Path, reach: Callable[[], object]) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the kind is what the machine makes of it
        reach()
    assert "a job has none" in describe(caught.value, tmp_path).message


def test_too_little_memory_comes_with_the_batch_size(tmp_path: Path) -> None:
    with pytest.raises(tf.errors.ResourceExhaustedError) as caught:
        tf.zeros((1 << 20, 1 << 20))
    failed = describe(caught.value, tmp_path, batch_size=64)
    assert failed.failure_class is FailureClass.HOST_OOM
    assert failed.message.startswith("the job ran out of memory at a batch size of 64; try 32 (OOM when allocating")


def test_what_led_to_an_exception_decides_what_it_was() -> None:
    outer = RuntimeError("the callback failed")
    outer.__cause__ = Diverged("the loss became nan")
    assert classify(outer) is FailureClass.DIVERGED
