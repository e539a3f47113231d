"""What is wrong is said in a sentence, with an exit status that means something, and nothing is changed."""

import pytest

from tests.e2e.conftest import Trained
from tests.support.stack import Stack, plain_environment

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("datasets show digitz", 3, "did you mean `digits`?"),
        ("train image-classification --dataset digitz", 3, "did you mean `digits`?"),
        ("train image-clasification --dataset digits", 3, "did you mean 'image-classification'?"),
        ("train image-classification --dataset digits --set epochs=0", 2, "parameters.epochs"),
        ("train image-classification --dataset digits --set epochs=many", 2, "whole number"),
        ("train image-classification --dataset digits --set epoch=3", 2, "did you mean 'epochs'?"),
        ("deploy digits2 --model digits-image-classificatio", 3, "did you mean `digits-image-classification`?"),
        ("deploy digits2 --model digits-image-classification@77", 3, "77"),
        ("predict nothing --image digit.png", 3, "there is `digits`"),
        ("predict digits --image missing.png", 2, "can't be read"),
        ("jobs show no-such-job", 3, "not found"),
        ("datasets push digits empty", 2, "no data"),
        ("datasets push digits no-such-folder", 2, "does not exist"),
        ("datasets push Digits digits", 2, "name"),
        ("projects create default", 5, "default"),
        ("datasets import minst", 3, "did you mean `mnist`?"),
        ("--token-file nowhere datasets list", 2, "can't be read"),
    ],
)
def test_a_mistake_gets_a_sentence_and_a_status(
    stack: Stack, trained: Trained, command: str, status: int, words: str
) -> None:
    (stack.home / "empty").mkdir(exist_ok=True)
    done = stack.run(*command.split(), status=None)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_refused_training_creates_no_job(stack: Stack, trained: Trained) -> None:
    before = len(stack.json("jobs", "list"))
    stack.run("train", "image-classification", "--dataset", "digits", "--set", "epochs=0", status=2)
    stack.run("train", "image-classification", "--dataset", "digits", "--validate-only")
    assert len(stack.json("jobs", "list")) == before


def test_a_garbage_token_is_refused(stack: Stack) -> None:
    done = stack.run("datasets", "list", status=4, environment={"MODELYARD_TOKEN": "garbage"})
    assert "token" in done.stderr


def test_a_viewer_may_look_but_not_train_nor_predict(stack: Stack, trained: Trained) -> None:
    token = stack.run("token", "create", "users/ann", "--role", "default=viewer").stdout.strip()
    environment = {"MODELYARD_TOKEN": token}
    stack.run("datasets", "show", "digits", environment=environment)
    for command in (
        "train image-classification --dataset digits",
        "predict digits --image digit.png",
        "datasets delete digits",
    ):
        refused = stack.run(*command.split(), status=4, environment=environment)
        assert "not allowed" in refused.stderr


def test_a_predictor_may_predict_and_nothing_else(stack: Stack, trained: Trained) -> None:
    token = stack.run("token", "create", "users/app", "--role", "default=predictor").stdout.strip()
    stack.run("predict", "digits", "--image", "digit.png", environment={"MODELYARD_TOKEN": token})
    stack.run("datasets", "list", status=4, environment={"MODELYARD_TOKEN": token})


def test_a_second_up_on_the_same_folder_says_so(stack: Stack) -> None:
    done = stack.run("up", status=5)
    assert "already runs" in done.stderr
    assert "FOLDER_IN_USE" in done.stderr


def test_a_taken_port_is_said_before_anything_is_started(stack: Stack) -> None:
    done = stack.run("up", "--dir", "other", "--port", str(stack.port), status=5)
    assert "PORT_TAKEN" in done.stderr
    assert not (stack.home / "other" / "up.json").exists()


def test_an_installation_that_is_not_there_is_not_a_traceback(stack: Stack) -> None:
    done = stack.run("--server", "127.0.0.1:1", "datasets", "list", status=6)
    assert "is it running?" in done.stderr
    assert "Traceback" not in done.stderr


def test_plain_environment_has_no_token() -> None:
    assert "MODELYARD_TOKEN" not in plain_environment()
