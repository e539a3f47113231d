"""Every kind has a code both ways, and every error a reason of its own."""

import importlib
import pkgutil
import re
from collections import defaultdict

import grpc
import pytest

import modelyard.foundation
from modelyard.foundation import errors
from modelyard.foundation.asgi import HTTP_STATUS
from modelyard.foundation.errors import Kind, ModelyardError, NotFound, ResourceExhausted, Unavailable
from modelyard.foundation.rpc.status import CODES, failure_of, read_failure, resource_type, to_error, to_status


def test_every_kind_has_a_code_and_an_http_status() -> None:
    assert set(CODES) == set(Kind) == set(HTTP_STATUS)
    assert len(set(CODES.values())) == len(Kind)
    assert grpc.StatusCode.UNKNOWN not in CODES.values()


def test_every_kind_has_an_error_to_raise() -> None:
    generic = {error.kind for error in ModelyardError.__subclasses__() if error.__module__ == errors.__name__}
    assert generic == set(Kind)


def test_every_reason_is_upper_snake_and_belongs_to_one_class() -> None:
    for module in pkgutil.walk_packages(modelyard.foundation.__path__, "modelyard.foundation."):
        if not module.name.endswith(("environment.env", ".environment")):
            importlib.import_module(module.name)
    owners = defaultdict(list)
    for error in subclasses(ModelyardError):
        if error.__name__.startswith("PassedOn"):
            continue
        assert re.fullmatch(r"[A-Z][A-Z0-9_]{2,62}", error.reason), error
        owners[error.reason].append(error)
    shared = {reason: found for reason, found in owners.items() if len(found) > 1}
    assert not shared


def subclasses(error: type[ModelyardError]) -> list[type[ModelyardError]]:
    found = []
    for child in error.__subclasses__():
        if child.__module__.startswith("modelyard.foundation"):
            found += [child, *subclasses(child)]
    return found


def test_an_error_survives_the_wire() -> None:
    sent = NotFound("there is no dataset minst", field="dataset", resource="projects/p/datasets/minst", dataset="minst")
    status = to_status(sent)
    failure = read_failure(grpc.StatusCode.NOT_FOUND, status.message, status.SerializeToString())
    assert failure.reason == "NOT_FOUND"
    assert failure.facts == {"dataset": "minst"}
    assert failure.fields == {"dataset": "there is no dataset minst"}
    assert failure.resource == "projects/p/datasets/minst"
    received = to_error(failure)
    assert (received.kind, received.reason, received.message) == (sent.kind, sent.reason, sent.message)
    assert (received.field, received.resource, received.facts) == (sent.field, sent.resource, sent.facts)


def test_passing_an_error_on_changes_no_other_error() -> None:
    first = to_error(read_failure(grpc.StatusCode.NOT_FOUND, "x", to_status(NotFound("x")).SerializeToString()))
    second = to_error(read_failure(grpc.StatusCode.NOT_FOUND, "x", b""))
    assert (first.reason, second.reason) == ("NOT_FOUND", "UPSTREAM")


def test_retry_and_quota_travel() -> None:
    status = to_status(ResourceExhausted("full", retry_after_s=1.5))
    assert {detail.type_url.rpartition(".")[2] for detail in status.details} == {
        "ErrorInfo",
        "QuotaFailure",
        "RetryInfo",
    }
    assert read_failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "", status.SerializeToString()).retry_after_s == 1.5


def test_each_kind_of_detail_is_sent_at_most_once() -> None:
    for error in subclasses(ModelyardError):
        status = to_status(error("m", field="f", resource="projects/p", retry_after_s=1.0, fact="x"))
        kinds = [detail.type_url for detail in status.details]
        assert len(kinds) == len(set(kinds))


def test_unavailable_says_when_to_come_back_without_being_asked() -> None:
    assert Unavailable("gone").retry_after_s == 1.0


def test_a_long_message_is_cut_to_fit_a_trailer() -> None:
    assert len(to_status(NotFound("x" * 10_000, fact="y" * 10_000)).SerializeToString()) < 8000


@pytest.mark.parametrize(
    ("name", "kind"), [("projects/p/datasets/d", "dataset"), ("projects/p", "project"), ("the-bucket", "the-bucket")]
)
def test_the_type_of_a_resource_is_its_collection(name: str, kind: str) -> None:
    assert resource_type(name) == kind


def test_a_failure_without_details_is_read() -> None:
    error = grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, grpc.aio.Metadata(), grpc.aio.Metadata(), "boom")
    failure = failure_of(error)
    assert (failure.code, failure.message, failure.reason) == (grpc.StatusCode.UNKNOWN, "boom", "")
    assert to_error(failure).kind is Kind.INTERNAL


def test_details_that_are_garbage_are_ignored() -> None:
    assert read_failure(grpc.StatusCode.ABORTED, "m", b"\xff\xff").message == "m"
