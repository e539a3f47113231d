"""Names, tokens, fences, signing names, and how errors look."""

import importlib
import inspect
from datetime import UTC, datetime, timedelta

import pytest

from modelyard.catalog.adapters.minter import KeyMinter
from modelyard.catalog.domain import errors
from modelyard.catalog.domain.errors import ExecutionEnded, HostNotAllowed, StaleAttempt
from modelyard.catalog.domain.executions import Execution, ExecutionState, attempt_of, check_fence
from modelyard.catalog.domain.model_info import Gate, ModelInfo
from modelyard.catalog.domain.names import (
    ArtifactName,
    CheckpointName,
    OutputName,
    parse_readable,
    parse_target,
    parse_version,
)
from modelyard.catalog.domain.tokens import Token, administers
from modelyard.catalog.origins import Origins
from modelyard.foundation.errors import InvalidArgument, ModelyardError
from tests.support.servers import Issuers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    [
        "projects/p/datasets/d",
        "projects/p/models/m",
        "projects/p/packages/k",
        "projects/p/jobs/j/checkpoints/10",
        "projects/p/jobs/j/outputs/run",
    ],
)
def test_a_target_reads_back_as_it_was_written(name: str) -> None:
    assert str(parse_target(name, "target")) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "projects/p",
        "projects/p/datasets/d/versions/1",
        "projects/p/datasets/D",
        "projects/p/jobs/j/checkpoints/01",
        "projects/p/jobs/j/outputs/Run",
        "projects/p/packages/k/x",
    ],
)
def test_what_is_no_target_is_refused_with_its_field(name: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_target(name, "upload.target")
    assert caught.value.field == "upload.target"


def test_versions_are_numbers_aliases_or_latest() -> None:
    assert parse_version("projects/p/datasets/d/versions/7", "name").number == 7
    assert parse_version("projects/p/models/m/versions/latest", "name").number is None
    assert isinstance(parse_readable("projects/p/jobs/j/checkpoints/0", "name"), CheckpointName)
    assert isinstance(parse_readable("projects/p/jobs/j/outputs/checkpoints", "name"), OutputName)
    assert parse_version("projects/p/packages/models/versions/1", "name").artifact.collection == "packages"
    assert parse_version("projects/models/datasets/d/versions/1", "name").artifact.collection == "datasets"
    for wrong in ("projects/p/jobs/j/versions/1", "projects/p/models/m", "models", ""):
        with pytest.raises(InvalidArgument) as caught:
            parse_readable(wrong, "parent")
        assert caught.value.field == "parent"
    for wrong in ("0", "-1", "01", "", "1/2", "A", "9" * 30):
        with pytest.raises(InvalidArgument):
            parse_version(f"projects/p/datasets/d/versions/{wrong}", "name")


def execution(attempt: int, state: ExecutionState = ExecutionState.OPEN) -> Execution:
    return Execution("u", "p", "projects/p/jobs/j", attempt, (), (), (), state, NOW)


def test_the_fence_lets_only_the_newest_attempt_of_an_open_execution_pass() -> None:
    two = attempt_of("projects/p/jobs/j/attempts/2")

    assert check_fence(execution(2), two).attempt == 2
    with pytest.raises(StaleAttempt):
        check_fence(execution(3), two)
    with pytest.raises(StaleAttempt):
        check_fence(execution(3, ExecutionState.SUCCEEDED), two)
    for closed in (execution(2, ExecutionState.SUCCEEDED), execution(1), None):
        with pytest.raises(ExecutionEnded):
            check_fence(closed, two)


def test_only_a_failed_gate_that_matters_rejects_a_model() -> None:
    assert not ModelInfo(gates=(Gate("row_wise", False, ""), Gate("load", True, ""))).rejected
    assert ModelInfo(gates=(Gate("load", False, ""),)).rejected


def test_an_administrator_of_one_project_is_none_of_another() -> None:
    assert administers({"*": "admin"}, {"a": "admin", "*": "host"})
    assert administers({"a": "admin"}, {"a": "viewer"})
    assert not administers({"a": "admin"}, {"a": "viewer", "b": "viewer"})
    assert not administers({"a": "editor"}, {"a": "viewer"})
    assert not administers({"a": "admin"}, {})


def test_a_secret_is_the_same_each_time_and_good() -> None:
    issuers = Issuers()
    now = datetime.now(UTC).replace(microsecond=0)
    token = Token("t1", "users/ann", {"p": "viewer"}, now, now + timedelta(hours=1))
    minter = KeyMinter(issuers.catalog_key)

    secret = minter.mint(token)

    assert minter.mint(token) == secret
    identity = issuers.verifier().verify(secret)
    assert (identity.token_id, identity.subject, identity.expire_time) == ("t1", "users/ann", token.expire_time)


def test_urls_are_signed_for_the_name_by_which_the_caller_came_when_it_is_allowed() -> None:
    origins = Origins("http://yard.example:8470", ["Lab.example", "other.example:9000"])

    for authority, scheme, expected in (
        ("", "", "http://yard.example:8470"),
        ("127.0.0.1:8470", "http", "http://127.0.0.1:8470"),
        ("localhost:1", "", "http://localhost:1"),
        ("[::1]:8470", "https", "https://[::1]:8470"),
        ("lab.example:99", "https", "https://lab.example:99"),
        ("other.example:9000", "https", "https://other.example:9000"),
        ("YARD.example:8470", "http", "http://yard.example:8470"),
    ):
        assert origins.origin(authority, scheme) == expected
    strange = ("a b", "[", "user@127.0.0.1", "127.0.0.1:8470/x", "127.0.0.1:8470#")
    for wrong in ("evil.example", "other.example:9001", "127.0.0.1.evil.example", *strange):
        with pytest.raises(HostNotAllowed):
            origins.origin(wrong, "http")


def test_every_reason_is_one_class_of_the_catalog() -> None:
    own = [
        error
        for _, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, ModelyardError) and error.__module__ == errors.__name__
    ]
    reasons = [error.reason for error in own]

    assert len(set(reasons)) == len(reasons) > 10
    assert all(reason == reason.upper() for reason in reasons)


def test_the_names_of_collections_are_those_of_the_protos() -> None:
    names = importlib.import_module("modelyard.catalog.domain.names")
    assert str(ArtifactName("p", names.Collection.MODELS, "m")) == "projects/p/models/m"
