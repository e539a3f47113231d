"""A model asked about a whole dataset, from the command to the dataset of its answers."""

import json

import pytest

from modelyard.sdk import Client
from tests.e2e.conftest import TRAINING_IMAGES, Trained
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)

DIGITS = "projects/default/datasets/digits/versions/1"


@pytest.fixture(scope="module")
def people(stack: Stack) -> str:
    """A table that no model of digits can be asked about."""
    (stack.home / "people.csv").write_text("age,pay\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    stack.run("datasets", "push", "people", "people.csv", "--target", "pay")
    return "people@1"


def test_the_answers_become_a_dataset_that_says_where_each_comes_from(
    stack: Stack, trained: Trained, people: str
) -> None:
    done = stack.run("predict", "digits", "--dataset", "digits", "--output", "people", "--watch")
    model = trained.job["model_version"]
    asked = f"{model.split('/')[3]}@{model.split('/')[5]}"
    assert f"asks {asked}, which the deployment digits serves now, about digits@1" in done.stdout
    assert "note: people@1 holds no answers (table, table); they become the version after it" in done.stderr
    shown = stack.json("datasets", "show", "people@2")
    assert shown["version"]["labels"].items() >= {"model": model, "dataset": DIGITS}.items()
    assert sum(int(split["example_count"]) for split in shown["input_spec"]["splits"]) == TRAINING_IMAGES

    stack.run("datasets", "pull", "people@2", "answers")
    paths = sorted((stack.home / "answers").glob("*.jsonl"))
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    assert len({line["origin"] for line in lines}) == len(lines) == TRAINING_IMAGES
    right = sum(line["origin"].split("/")[-2] == line["label"] for line in lines)
    assert right / TRAINING_IMAGES > 0.9, "the folder of an image is its class"

    name = shown["version"]["name"]
    with Client(stack.address, token=stack.token) as client:
        around = client.lineage.of(name, 1)
    inputs = {each.name for one in around if name in {made.name for made in one.outputs} for each in one.inputs}
    assert inputs == {model, DIGITS}


def test_what_cannot_be_asked_is_refused_before_there_is_a_job(stack: Stack, trained: Trained, people: str) -> None:
    model = trained.job["model_version"].split("/")[3]
    before = len(stack.json("jobs", "list"))
    refusals = {
        ("digits", "--dataset", people, "--output", "a"): (
            5,
            "people@1 has nothing for 'image' (uint8 [any, 28, 28, 1])",
        ),
        ("digits", "--dataset", "digits", "--output", "digits"): (2, "which the job reads; name another dataset"),
        ("digit", "--dataset", "digits", "--output", "a"): (3, "deployment `digit` not found; did you mean `digits`?"),
        (model, "--dataset", "digits", "--output", "a"): (3, f"but a model of that name: `{model}@latest`"),
        ("digits", "--output", "a"): (2, "--dataset what the model is asked about"),
    }
    for arguments, (status, words) in refusals.items():
        assert words in stack.run("predict", *arguments, status=status).stderr
    assert len(stack.json("jobs", "list")) == before
