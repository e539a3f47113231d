"""The edge's pure functions, and the limits."""

import asyncio
import logging

import grpc
import pytest

from modelyard.foundation.auth.tokens import TokenInvalid, TokenMissing
from modelyard.foundation.errors import DeadlineExceeded, NotFound
from modelyard.foundation.rpc import edge
from modelyard.foundation.rpc.limits import InFlight, RateLimited, RateLimiter, TooManyCalls
from tests.support.servers import Issuers


@pytest.mark.parametrize("value", ["Bearer abc", "bearer abc", "BEARER  abc "])
def test_the_bearer_token_is_found(value: str) -> None:
    assert edge.bearer_token([("x", "y"), ("authorization", value)]) == "abc"


@pytest.mark.parametrize("value", ["abc", "Basic abc", "Bearer", "Bearer ", ""])
def test_another_authorization_is_refused(value: str) -> None:
    with pytest.raises(TokenInvalid):
        edge.bearer_token([("authorization", value)])


def test_two_tokens_are_refused() -> None:
    with pytest.raises(TokenInvalid, match="more than one"):
        edge.bearer_token([("authorization", "Bearer a"), ("authorization", "Bearer b")])


def test_a_missing_token_is_nobody_only_where_that_is_allowed(issuers: Issuers) -> None:
    assert edge.identify([], issuers.verifier(), required=False) is None
    with pytest.raises(TokenMissing):
        edge.identify([], issuers.verifier(), required=True)
    entry = ("authorization", f"Bearer {issuers.token('viewer', 'p')}")
    identity = edge.identify([entry], issuers.verifier(), required=False)
    assert identity is not None
    assert identity.projects == {"p": "viewer"}


@pytest.mark.parametrize(
    ("remaining", "cap", "budget"), [(None, None, None), (None, 60, 60), (5, 60, 5), (100, 60, 60), (5, None, 5)]
)
def test_the_budget_of_a_call(remaining: float | None, cap: float | None, budget: float | None) -> None:
    assert edge.budget(remaining, cap) == budget


@pytest.mark.parametrize("remaining", [0, -1])
def test_no_work_is_begun_after_the_deadline(remaining: float) -> None:
    with pytest.raises(DeadlineExceeded):
        edge.budget(remaining, 60)


def test_an_error_that_is_meant_is_shown_as_it_is() -> None:
    error = NotFound("x")
    assert edge.shown(error, "/m") is error


def test_a_success_that_is_polled_is_quiet_and_its_failure_is_not(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    edge.Observation("/m", quiet=True).end(grpc.StatusCode.OK)
    assert caplog.records == []
    edge.Observation("/m", quiet=True).fail(NotFound("gone"))
    assert [record.__dict__["reason"] for record in caplog.records] == ["NOT_FOUND"]


async def test_a_slot_is_given_back_however_the_call_ends() -> None:
    slots = InFlight(1)

    async def call() -> None:
        with slots.slot():
            await asyncio.sleep(10)

    calling = asyncio.create_task(call())
    await asyncio.sleep(0)
    with pytest.raises(TooManyCalls), slots.slot():
        pass
    calling.cancel()
    await asyncio.wait([calling])
    assert slots.count == 0
    with slots.slot():
        assert slots.count == 1


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_allows_a_burst_and_then_so_many_a_second() -> None:
    time = Time()
    limiter = RateLimiter(10, 20, monotonic=time)
    for _ in range(20):
        limiter.take("a")
    with pytest.raises(RateLimited) as caught:
        limiter.take("a")
    assert caught.value.retry_after_s == pytest.approx(0.1)
    limiter.take("b")
    taken = 0
    for _ in range(1000):
        time.now += 0.01
        try:
            limiter.take("a")
        except RateLimited:
            continue
        taken += 1
    assert taken == pytest.approx(100, abs=2)


def test_a_rest_does_not_save_up_more_than_the_burst() -> None:
    time = Time()
    limiter = RateLimiter(10, 2, monotonic=time)
    time.now = 1000
    limiter.take("a", cost=2)
    with pytest.raises(RateLimited):
        limiter.take("a")


def test_only_so_many_keys_are_remembered() -> None:
    limiter = RateLimiter(1, 1, keys=2, monotonic=Time())
    for key in ("a", "b", "c"):
        limiter.take(key)
    with pytest.raises(RateLimited):
        limiter.take("c")
    limiter.take("a")
