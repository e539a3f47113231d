"""Calls to a real server: who may, what an error looks like, how long they last."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.auth.policy import ANY_IDENTITY, INSTALLATION, PUBLIC, Rule, service_rules
from modelyard.foundation.auth.roles import EDITORS
from modelyard.foundation.errors import AlreadyExists
from modelyard.foundation.rpc.server import Limits
from tests.contract.foundation.echo_server import REQUEST, Serve, refusal
from tests.support.echo import METHODS, SERVICE, Echo, EchoClient, EchoServicer
from tests.support.servers import Issuers


@pytest.mark.parametrize("method", METHODS)
async def test_each_shape_answers_a_caller_who_may(serve: Serve, issuers: Issuers, method: str) -> None:
    async with serve() as served, served.channel(issuers.token("viewer", "p")) as channel:
        answers = await EchoClient(channel).call(method, REQUEST)
        assert {answer.text for answer in answers} == {"hello"}


@pytest.mark.parametrize("method", METHODS)
async def test_no_shape_answers_without_a_token(serve: Serve, servicer: EchoServicer, method: str) -> None:
    async with serve() as served:
        failure = await refusal(served, method, token="")
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
        assert servicer.calls == 0


@pytest.mark.parametrize("method", METHODS)
async def test_no_shape_answers_a_caller_of_another_project(
    serve: Serve, issuers: Issuers, servicer: EchoServicer, method: str
) -> None:
    async with serve() as served:
        failure = await refusal(served, method, token=issuers.token("editor", "other"))
        assert (failure.code, failure.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        assert "viewer" in failure.facts["roles"]
        assert servicer.calls == 0


async def test_a_stream_of_requests_is_authorised_request_by_request(serve: Serve, issuers: Issuers) -> None:
    async with serve() as served, served.channel(issuers.token("viewer", "p")) as channel:
        rpc = channel.stream_stream(f"/{SERVICE}/Chat", Echo.SerializeToString, Echo.FromString)
        call = rpc(iter([REQUEST, Echo(name="projects/other/things/t")]))
        answers = []

        async def read() -> None:
            async for answer in call:
                answers.append(answer)

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read()
        assert len(answers) == 1
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("method", METHODS)
async def test_an_error_of_a_use_case_arrives_with_its_details(
    serve: Serve, servicer: EchoServicer, method: str
) -> None:
    class Taken(AlreadyExists):
        reason = "NAME_TAKEN"

    async def refuse(request: Any) -> Any:
        raise Taken("digits is taken; choose another", field="name", resource="projects/p/things/t", name="digits")

    servicer.on_call = refuse
    async with serve() as served:
        failure = await refusal(served, method)
    assert failure.code is grpc.StatusCode.ALREADY_EXISTS
    assert failure.message == "digits is taken; choose another"
    assert (failure.reason, failure.facts) == ("NAME_TAKEN", {"name": "digits"})
    assert failure.fields == {"name": "digits is taken; choose another"}
    assert failure.resource == "projects/p/things/t"


@pytest.mark.parametrize("method", METHODS)
async def test_an_unexpected_exception_shows_an_id_and_nothing_else(
    serve: Serve, servicer: EchoServicer, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def break_down(request: Any) -> Any:
        raise KeyError("password=hunter2")

    servicer.on_call = break_down
    async with serve() as served:
        failure = await refusal(served, method)
    assert (failure.code, failure.reason) == (grpc.StatusCode.INTERNAL, "UNEXPECTED_ERROR")
    assert "hunter2" not in failure.message
    assert failure.facts["error_id"] in failure.message
    logged = [record for record in caplog.records if getattr(record, "error_id", "") == failure.facts["error_id"]]
    assert len(logged) == 1
    assert "hunter2" in str(logged[0].exc_info)


@pytest.mark.parametrize("method", METHODS)
async def test_bytes_that_are_no_message_are_an_invalid_argument(serve: Serve, method: str) -> None:
    async with serve() as served:
        failure = await refusal(served, method, b"\xff\xff\xff")
        assert (failure.code, failure.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


async def test_a_message_over_the_limit_is_refused(serve: Serve) -> None:
    async with serve(limits=Limits(max_message_bytes=1000)) as served:
        failure = await refusal(served, "Unary", Echo(name="projects/p", text="x" * 2000))
        assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_deadline_that_passes_ends_the_work(serve: Serve, servicer: EchoServicer) -> None:
    ended = asyncio.Event()

    async def dawdle(request: Any) -> Any:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    servicer.on_call = dawdle
    async with serve() as served:
        failure = await refusal(served, "Unary", timeout=2.0)
        assert failure.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(ended.wait(), 2)


async def test_a_call_without_a_deadline_gets_one(serve: Serve, servicer: EchoServicer) -> None:
    async def dawdle(request: Any) -> Any:
        await asyncio.sleep(30)

    servicer.on_call = dawdle
    async with serve(limits=Limits(unary_cap_s=0.2)) as served:
        failure = await refusal(served, "Unary")
        assert (failure.code, failure.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


async def test_a_timeout_inside_a_use_case_is_not_the_callers_deadline(serve: Serve, servicer: EchoServicer) -> None:
    async def time_out(request: Any) -> Any:
        raise TimeoutError

    servicer.on_call = time_out
    async with serve() as served:
        assert (await refusal(served, "Unary")).reason == "UNEXPECTED_ERROR"


async def test_a_client_that_gives_up_cancels_the_handler(serve: Serve, servicer: EchoServicer) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def dawdle(request: Any) -> Any:
        began.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    servicer.on_call = dawdle
    async with serve() as served, served.channel() as channel:
        calling = asyncio.create_task(EchoClient(channel).call("Tail", REQUEST))
        await began.wait()
        calling.cancel()
        await asyncio.wait_for(ended.wait(), 2)


async def test_the_use_case_sees_who_calls(serve: Serve, servicer: EchoServicer, issuers: Issuers) -> None:
    async def who(request: Any) -> Any:
        await asyncio.sleep(0.01)
        return Echo(text=current_identity().subject)

    servicer.on_call = who
    async with serve(service_rules(SERVICE, dict.fromkeys(METHODS, ANY_IDENTITY))) as served:

        async def ask(subject: str) -> str:
            async with served.channel(issuers.token("viewer", "p", subject)) as channel:
                return str((await EchoClient(channel).call("Unary"))[0].text)

        subjects = [f"tokens/t{number}" for number in range(5)]
        assert await asyncio.gather(*map(ask, subjects)) == subjects


async def test_a_public_method_needs_no_token_but_refuses_a_bad_one(serve: Serve) -> None:
    async with serve(service_rules(SERVICE, dict.fromkeys(METHODS, PUBLIC))) as served:
        async with served.channel("") as channel:
            assert await EchoClient(channel).call("Unary", REQUEST) == [REQUEST]
        assert (await refusal(served, "Unary", token="nonsense")).reason == "TOKEN_INVALID"


async def test_a_role_in_a_project_is_none_in_the_installation(serve: Serve, issuers: Issuers) -> None:
    async with serve(service_rules(SERVICE, dict.fromkeys(METHODS, Rule(EDITORS, INSTALLATION)))) as served:
        failure = await refusal(served, "Unary", token=issuers.token("editor", "p"))
        assert failure.code is grpc.StatusCode.PERMISSION_DENIED
        async with served.channel(issuers.token("editor", "*")) as channel:
            await EchoClient(channel).call("Unary", REQUEST)


async def test_a_handler_may_write_its_answers_itself(serve: Serve, servicer: EchoServicer) -> None:
    async def tail(request: Any, context: Any) -> None:
        await context.write(request)
        await context.write(request)

    servicer.Tail = tail  # type: ignore[method-assign,assignment]
    async with serve() as served, served.channel() as channel:
        assert await EchoClient(channel).call("Tail", REQUEST) == [REQUEST, REQUEST]


async def test_an_abort_of_the_handler_passes_unchanged(serve: Serve, servicer: EchoServicer) -> None:
    async def unary(request: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "said so")

    servicer.Unary = unary  # type: ignore[method-assign]
    async with serve() as served:
        failure = await refusal(served, "Unary")
        assert (failure.code, failure.message) == (grpc.StatusCode.OUT_OF_RANGE, "said so")


async def test_a_stream_that_its_client_leaves_is_closed(serve: Serve, servicer: EchoServicer) -> None:
    closed = asyncio.Event()

    async def tail(request: Any, context: object) -> AsyncIterator[Any]:
        try:
            while True:
                yield request
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    servicer.Tail = tail  # type: ignore[method-assign]
    async with serve() as served, served.channel() as channel:
        call = channel.unary_stream(f"/{SERVICE}/Tail", Echo.SerializeToString, Echo.FromString)(REQUEST)
        await anext(aiter(call))
        call.cancel()
        await asyncio.wait_for(closed.wait(), 2)
