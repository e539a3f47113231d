from collections.abc import Iterable

import pytest

from modelyard.cli.suggest import suggesting
from modelyard.sdk.errors import NotFound, PermissionDenied, Unavailable


def refused(name: str, known: Iterable[str]) -> str:
    short = name.partition("@")[0].rpartition("/")[2]
    sentence = f"projects/default/datasets/{short} does not exist"
    with pytest.raises(NotFound) as error, suggesting("dataset", name, lambda: known):
        raise NotFound(sentence, reason="NOT_FOUND", facts={"a": "b"})
    assert (error.value.reason, error.value.facts) == ("NOT_FOUND", {"a": "b"})
    return error.value.message


def test_the_nearest_name_is_named() -> None:
    assert refused("minst", ["mnist", "digits"]) == "dataset `minst` not found; did you mean `mnist`?"
    assert refused("minst@3", ["mnist"]) == "dataset `minst` not found; did you mean `mnist`?"
    assert refused("projects/p/datasets/minst", ["mnist"]) == "dataset `minst` not found; did you mean `mnist`?"


def test_without_a_near_one_it_says_what_there_is() -> None:
    assert refused("cats", ["mnist", "digits"]) == "dataset `cats` not found; there is `digits`, `mnist`"
    assert refused("cats", []) == "dataset `cats` not found; there is no dataset yet"


def test_a_version_that_is_missing_of_a_name_that_is_there_keeps_its_sentence() -> None:
    assert refused("mnist@9", ["mnist"]).endswith("does not exist")


def test_who_may_not_list_gets_the_servers_sentence() -> None:
    def names() -> list[str]:
        raise PermissionDenied("no")

    with pytest.raises(NotFound, match="jobs/x does not exist"), suggesting("job", "x", names):
        raise NotFound("projects/default/jobs/x does not exist")


def test_what_is_about_something_else_keeps_its_own_sentence() -> None:
    sentence = "there is no template 'image-clasification'; did you mean 'image-classification'?"
    with pytest.raises(NotFound) as error, suggesting("dataset", "minst", lambda: ["mnist"]):
        raise NotFound(sentence, reason="TEMPLATE_UNKNOWN")
    assert error.value.message == sentence


def test_other_failures_pass() -> None:
    with pytest.raises(Unavailable), suggesting("job", "x", list):
        raise Unavailable("down")
