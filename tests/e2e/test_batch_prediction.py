"""A model asked about a whole dataset, from the command to the dataset of its answers."""

import json

import pytest

from modelyard.sdk import Client
from tests.e2e.conftest import TRAINING_IMAGES, Trained
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)


def test_the_answers_become_a_dataset_that_says_where_each_comes_from(stack: Stack, trained: Trained) -> None:
    said = stack.run("predict", "digits", "--dataset", "digits", "--output", "digits-answers", "--watch").stdout
    model = trained.job["model_version"]
    short = model.split("/")[3] + "@1"
    assert f"asks {short}, which the deployment digits serves now, about digits@1" in said
    shown = stack.json("datasets", "show", "digits-answers")
    assert (
        shown["version"]["labels"].items()
        >= {"model": model, "dataset": "projects/default/datasets/digits/versions/1"}.items()
    )
    assert sum(int(split["example_count"]) for split in shown["input_spec"]["splits"]) == TRAINING_IMAGES

    stack.run("datasets", "pull", "digits-answers", "answers")
    lines = [
        json.loads(line) for path in (stack.home / "answers").glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    assert len({line["origin"] for line in lines}) == TRAINING_IMAGES
    right = sum(line["origin"].split("/")[-2] == line["label"] for line in lines)
    assert right / TRAINING_IMAGES > 0.9, "the folder of an image is its class"

    name = shown["version"]["name"]
    with Client(stack.address, token=stack.token) as client:
        around = client.lineage.of(name, 1)
    inputs = {each.name for one in around if name in {made.name for made in one.outputs} for each in one.inputs}
    assert inputs == {model, "projects/default/datasets/digits/versions/1"}


def test_what_cannot_be_asked_is_refused_before_there_is_a_job(stack: Stack, trained: Trained) -> None:
    (stack.home / "people.csv").write_text("age,pay\n" + "".join(f"{n},{n % 2}\n" for n in range(40)))
    stack.run("datasets", "push", "people", "people.csv", "--target", "pay")
    before = len(stack.json("jobs", "list"))
    refusals = {
        ("digits", "--dataset", "people", "--output", "a"): (
            5,
            "people@1 has nothing for 'image' (uint8 [any, 28, 28, 1])",
        ),
        ("digits", "--dataset", "digits", "--output", "digits"): (2, "which the job reads; name another dataset"),
        ("digit", "--dataset", "digits", "--output", "a"): (3, "deployment `digit` not found; did you mean `digits`?"),
    }
    for arguments, (status, words) in refusals.items():
        assert words in stack.run("predict", *arguments, status=status).stderr
    assert len(stack.json("jobs", "list")) == before
