"""The server factory, with a real server and a real client on a socket."""

import asyncio
import os
import signal
import stat
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry

from modelyard.foundation.auth.policy import Rule, service_rules
from modelyard.foundation.auth.roles import READERS
from modelyard.foundation.errors import ResourceExhausted
from modelyard.foundation.rpc.server import CannotListen, Limits, MethodWithoutRule, RuleDoesNotFit
from modelyard.foundation.telemetry.metrics import RpcMetrics
from tests.contract.foundation.echo_server import REQUEST, RULES, Serve, refusal
from tests.support.echo import METHODS, SERVICE, EchoClient, EchoServicer
from tests.support.eventually import eventually
from tests.support.servers import Issuers


async def test_more_calls_than_the_limit_are_told_when_to_come_back(serve: Serve, servicer: EchoServicer) -> None:
    free = asyncio.Event()

    async def wait(request: Any) -> Any:
        await free.wait()
        return request

    servicer.on_call = wait
    async with serve(limits=Limits(max_calls=2)) as served, served.channel() as channel:
        calls = [asyncio.create_task(EchoClient(channel).call("Unary", REQUEST)) for _ in range(2)]
        await eventually(lambda: servicer.calls == 2)
        failure = await refusal(served, "Unary")
        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
        assert failure.retry_after_s == 0.5
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        free.set()
        await asyncio.gather(*calls)


async def test_a_method_without_a_rule_stops_the_start(serve: Serve) -> None:
    rules = {method: rule for method, rule in RULES.items() if not method.endswith("/Chat")}
    with pytest.raises(MethodWithoutRule, match=r"EchoService/Chat has no rule"):
        async with serve(rules):
            pass


async def test_a_rule_that_names_no_field_stops_the_start(serve: Serve) -> None:
    with pytest.raises(RuleDoesNotFit, match=r"no text field 'parent'"):
        async with serve(service_rules(SERVICE, dict.fromkeys(METHODS, Rule(READERS, "parent")))):
            pass


async def test_a_taken_port_is_said(serve: Serve) -> None:
    async with serve(listen="127.0.0.1:0") as served:
        with pytest.raises(CannotListen, match="in use"):
            async with serve(listen=served.address):
                pass


async def test_a_unix_socket_is_for_its_owner_only_and_goes_away(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "server.sock"
    async with serve():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


async def test_an_unknown_method_is_unimplemented(serve: Serve) -> None:
    async with serve() as served, served.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EchoClient(channel).raw(f"/{SERVICE}/Nothing")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_stopping_flips_health_lets_calls_end_and_closes_tails(serve: Serve, servicer: EchoServicer) -> None:
    free = asyncio.Event()

    async def wait(request: Any) -> Any:
        await free.wait()
        return request

    servicer.on_call = wait
    async with serve() as served, served.channel("") as plain, served.channel() as channel:
        watch = health_pb2_grpc.HealthStub(plain).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        states = aiter(watch)
        assert (await anext(states)).status == health_pb2.HealthCheckResponse.SERVING
        unary = asyncio.create_task(EchoClient(channel).call("Unary", REQUEST))
        tail = asyncio.create_task(EchoClient(channel).call("Tail", REQUEST))
        await eventually(lambda: servicer.calls == 2)
        began = time.monotonic()
        stopping = asyncio.create_task(served.server.stop(grace_s=20))
        assert (await anext(states)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await tail
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert served.server.stopping.is_set()
        free.set()
        assert await unary == [REQUEST]
        await stopping
        assert time.monotonic() - began < 5


async def test_sigterm_drains_and_returns(serve: Serve, servicer: EchoServicer) -> None:
    began, free = asyncio.Event(), asyncio.Event()

    async def wait(request: Any) -> Any:
        began.set()
        await free.wait()
        return request

    servicer.on_call = wait
    async with serve() as served, served.channel() as channel:
        running = asyncio.create_task(served.server.serve_until_stopped(grace_s=20))
        calling = asyncio.create_task(EchoClient(channel).call("Unary", REQUEST))
        await began.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await served.server.stopping.wait()
        assert not running.done()
        free.set()
        assert await calling == [REQUEST]
        await asyncio.wait_for(running, 5)


async def test_a_second_signal_ends_the_grace(serve: Serve, servicer: EchoServicer) -> None:
    async def hang(request: Any) -> Any:
        await asyncio.sleep(60)

    servicer.on_call = hang
    async with serve() as served, served.channel() as channel:
        running = asyncio.create_task(served.server.serve_until_stopped(grace_s=50))
        calling = asyncio.create_task(EchoClient(channel).call("Unary", REQUEST))
        await eventually(lambda: servicer.calls == 1)
        os.kill(os.getpid(), signal.SIGTERM)
        await served.server.stopping.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 5)
        with pytest.raises(grpc.aio.AioRpcError):
            await calling


async def test_calls_are_counted_and_logged_without_their_token(
    serve: Serve, servicer: EchoServicer, issuers: Issuers, caplog: pytest.LogCaptureFixture
) -> None:
    registry = CollectorRegistry()
    token = issuers.token("viewer", "p")
    caplog.set_level("INFO")

    async def full(request: Any) -> Any:
        raise ResourceExhausted("no space left in p", resource="projects/p")

    async with serve(metrics=RpcMetrics(registry)) as served:
        async with served.channel(token) as channel:
            await EchoClient(channel).call("Unary", REQUEST)
        servicer.on_call = full
        await refusal(served, "Unary", token=token)
    labels = {"method": f"/{SERVICE}/Unary"}
    assert registry.get_sample_value("modelyard_rpcs_total", {**labels, "code": "OK"}) == 1
    assert registry.get_sample_value("modelyard_rpcs_total", {**labels, "code": "RESOURCE_EXHAUSTED"}) == 1
    assert registry.get_sample_value("modelyard_rpc_seconds_count", labels) == 2
    assert registry.get_sample_value("modelyard_rpcs_in_flight", labels) == 0
    calls = [record.__dict__ for record in caplog.records if record.name == "modelyard.rpc"]
    assert [(call["code"], call["subject"]) for call in calls] == [
        ("OK", "tokens/test"),
        ("RESOURCE_EXHAUSTED", "tokens/test"),
    ]
    assert token not in repr(calls)
