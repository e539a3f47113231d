"""Identifiers and resource names."""

import pytest

from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import matches, new_uid, parse, parse_number, project_of, validate_id


@pytest.mark.parametrize("good", ["a", "mnist", "fashion-mnist", "a1", "x" * 63])
def test_good_ids_pass(good: str) -> None:
    assert validate_id(good, "dataset_id") == good


@pytest.mark.parametrize(
    "bad", ["", "-a", "a-", "1a", "A", "a_b", "a.b", "a/b", "x" * 64, "ä", "a\n", "a b", "..", "a\x00"]
)
def test_bad_ids_are_refused_with_their_field(bad: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        validate_id(bad, "dataset_id")
    assert caught.value.field == "dataset_id"
    assert "\n" not in caught.value.message
    assert "\x00" not in caught.value.message


def test_a_name_is_taken_apart() -> None:
    pattern = "projects/{project}/datasets/{dataset}/versions/{version:int}"
    assert parse(pattern, "projects/p/datasets/d/versions/12") == {"project": "p", "dataset": "d", "version": "12"}


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "projects/p",
        "projects/p/datasets/d",
        "projects/p/datasets/d/versions/",
        "projects/p/datasets/d/versions/01",
        "projects/p/datasets/d/versions/-1",
        "projects/p/datasets/d/versions/1\n",
        "projects/p/datasets/d/versions/99999999999999999999",
        "projects/p/datasets/d/versions/١",
        "/projects/p/datasets/d/versions/1",
        "projects//datasets/d/versions/1",
        "projects/../datasets/d/versions/1",
    ],
)
def test_names_of_another_form_are_refused(bad: str) -> None:
    with pytest.raises(
        InvalidArgument, match=r"projects/\{project\}/datasets/\{dataset\}/versions/\{version\}"
    ) as caught:
        parse("projects/{project}/datasets/{dataset}/versions/{version:int}", bad, field="parent")
    assert caught.value.field == "parent"


def test_a_long_bad_name_is_not_repeated_whole() -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse("projects/{project}", "x" * 100_000)
    assert len(caught.value.message) < 300


def test_uids_are_random_and_match() -> None:
    assert new_uid() != new_uid()
    assert matches("things/{thing:uid}", f"things/{new_uid()}")


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("projects/p", "p"),
        ("projects/p/datasets/d", "p"),
        ("projects/*", ""),
        ("projects/P/x", ""),
        ("projects", ""),
        ("projects/", ""),
        ("workers/w", ""),
        ("", ""),
        ("x/projects/p", ""),
    ],
)
def test_the_project_of_a_name(name: str, project: str) -> None:
    assert project_of(name) == project


def test_numbers() -> None:
    assert parse_number("12", "version") == 12
    with pytest.raises(InvalidArgument, match="version must be a whole number"):
        parse_number("1.0", "version")
