"""A dataset that is pushed has its content counted beside everything else, and people see what was found."""

import json

import pytest

from modelyard.sdk import Client
from tests.support.pictures import picture, write_classes
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def pets(stack: Stack) -> str:
    """Twelve pictures, one of them twice, one in both splits, and one that is cut off."""
    folder = write_classes(stack.home / "pets", {"train/cat": 4, "train/dog": 4, "test/cat": 2, "test/dog": 2})
    copy = (folder / "train/cat/0000.png").read_bytes()
    (folder / "train/cat/copy.png").write_bytes(copy)
    (folder / "test/cat/known.png").write_bytes(copy)
    (folder / "train/dog/cut.png").write_bytes(picture(99, size=(64, 64))[:-300])
    stack.run("datasets", "push", "pets", "pets")
    return "pets@1"


def test_show_waits_for_what_was_found_and_saves_its_page(stack: Stack, pets: str) -> None:
    said = stack.run("datasets", "show", pets, "--wait", "--html", "pets.html").stdout
    assert "1 example of test (20.0 %) is in train too" in said
    assert "1 example cannot be read: train/dog/cut.png is a PNG that does not decode" in said
    page = (stack.home / "pets.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "<h1>pets@1</h1>" in page
    statistics = stack.json("datasets", "show", pets)["statistics"]
    assert {split["name"]: split["example_count"] for split in statistics["splits"]} == {"train": "10", "test": "5"}
    assert statistics["duplicates"]["example_count"] == "1"
    with Client(stack.address, token=stack.token) as client:
        job = client.jobs.get(statistics["job"])
        assert client.datasets.statistics("pets").job == job.name
    assert job.spec.template == "profile"
    assert job.name not in [each["name"] for each in stack.json("jobs", "list")]
    assert job.name in [each["name"] for each in stack.json("jobs", "list", "--all")]


def test_the_next_version_is_compared_with_the_one_before(stack: Stack, pets: str) -> None:
    stack.run("datasets", "show", pets, "--wait")
    test = stack.home / "pets" / "test"
    (test / "dog" / "0000.png").rename(stack.home / "pets" / "train" / "dog" / "moved.png")
    stack.run("datasets", "push", "pets", "pets")
    statistics = stack.json("datasets", "show", "pets@2", "--wait")["statistics"]
    # The copies of the first version are found again; what has moved is known from its test split only.
    known = {
        (leak["other_version"], leak["other_split"])
        for leak in statistics["leakages"]
        if "other_version" in leak and "train/dog/moved.png" in [each["origin"] for each in leak["samples"]]
    }
    assert known == {("projects/default/datasets/pets/versions/1", "test")}


def test_a_version_is_exported_as_croissant(stack: Stack, pets: str) -> None:
    stack.run("datasets", "export", pets, "--croissant", "pets.json", "--licence", "CC0-1.0")
    document = json.loads((stack.home / "pets.json").read_text())
    assert document["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert document["license"] == "https://spdx.org/licenses/CC0-1.0.html"
    assert {record["@id"] for record in document["recordSet"]} == {"splits", "examples"}
    assert stack.run("datasets", "export", "pet", "--croissant", "x.json", status=3).stderr.count(
        "did you mean `pets`?"
    )
