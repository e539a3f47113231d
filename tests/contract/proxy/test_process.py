"""The proxy as a process: what it refuses to start with, its limits, its end."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import grpc
import pytest

from modelyard.foundation.sync.children import Child, Exit
from tests.contract.proxy.fakes import PREDICT
from tests.contract.proxy.stack import (
    FRONTS,
    Stack,
    call,
    kill,
    predict_request,
    refused,
    route,
    running_proxy,
    start_proxy,
    version_of,
    write_config,
)
from tests.contract.proxy.test_rest import http
from tests.support.eventually import eventually


@pytest.fixture(params=FRONTS)
def front(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


async def ended(arguments: list[str]) -> tuple[Exit, str]:
    lines: list[str] = []
    child = await Child.start(
        [sys.executable, "-m", "modelyard.proxy", *arguments],
        environment={"PATH": os.defpath},
        on_line=lambda _, line: lines.append(line),
    )
    return await child.wait(), "\n".join(lines)


@pytest.fixture
async def plain(tmp_path: Path) -> AsyncIterator[Stack]:
    async with running_proxy(tmp_path, "auto") as stack:
        yield stack


async def test_a_port_that_is_taken_is_a_sentence(plain: Stack, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    config = write_config(plain, {"server": {"listen": plain.address}, "run_dir": str(other)})

    exit_, output = await ended(["--config", str(config)])

    assert exit_.code == 1
    assert f"cannot listen on {plain.address}: Address already in use" in output
    assert "Traceback" not in output


async def test_another_address_than_loopback_needs_tls(plain: Stack) -> None:
    config = write_config(plain, {"server": {"listen": "0.0.0.0:8470"}})

    exit_, output = await ended(["--config", str(config)])

    assert exit_.code == 2
    assert "0.0.0.0:8470 can be reached from other machines and there is no TLS" in output


async def test_the_admin_interface_is_for_the_owner_only(plain: Stack) -> None:
    admin = plain.folder / "run" / "admin.sock"

    assert admin.stat().st_mode & 0o777 == 0o600
    assert (plain.folder / "run").stat().st_mode & 0o777 == 0o700


async def test_a_prediction_in_flight_survives_the_end(tmp_path: Path, front: str) -> None:
    async with running_proxy(tmp_path, front) as stack, stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        server.delay_s = 1.0
        slow = asyncio.create_task(call(channel, stack.issuers.token("predictor", "default"), predict_request()))
        await eventually(lambda: server.requests)

        assert stack.child is not None
        stack.child.send(signal.SIGTERM)

        assert version_of(await slow) == 1
        assert (await stack.child.wait()).code == 0


async def test_a_switch_of_versions_under_load_fails_no_request(tmp_path: Path, front: str) -> None:
    served: set[int] = set()
    async with running_proxy(tmp_path, front) as stack, stack.channel() as channel:
        token = stack.issuers.token("predictor", "default")

        async def ask() -> None:
            while not done.is_set():
                served.add(version_of(await call(channel, token, predict_request())))

        done = asyncio.Event()
        async with stack.model_server(100), asyncio.TaskGroup() as callers:
            await stack.route(route(backends=[(100, stack.endpoint("100"), 100)]))
            for _ in range(8):
                callers.create_task(ask())
            for version in range(101, 107):
                async with stack.model_server(version):
                    await stack.route(route(backends=[(version, stack.endpoint(str(version)), 100)]))
                    await eventually(partial(served.__contains__, version))
                    # Back, so that this one is dropped by the table before it stops.
                    await stack.route(route(backends=[(100, stack.endpoint("100"), 100)]))
            done.set()
    assert served == set(range(100, 107))


async def test_killing_the_supervisor_leaves_no_envoy_behind(plain: Stack) -> None:
    await kill(plain)

    host, _, port = plain.address.rpartition(":")

    async def is_free() -> bool:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    await eventually(is_free)
    await start_proxy(plain, {"server": {"listen": plain.address}})
    async with plain.channel() as channel:
        assert await call(channel, "", b"", "/grpc.health.v1.Health/Check") == b"inference"


async def test_one_caller_cannot_take_more_than_its_share(tmp_path: Path, front: str) -> None:
    limits = {"max_in_flight_each": 2, "max_message_bytes": 4096}
    async with running_proxy(tmp_path, front, predictions=limits) as stack, stack.model_server(1) as server:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        server.delay_s = 2.0
        greedy = stack.issuers.token("predictor", "default", "users/greedy")
        other = stack.issuers.token("predictor", "default", "users/other")
        async with stack.channel() as channel:
            held = [asyncio.create_task(call(channel, greedy, predict_request())) for _ in range(2)]
            await eventually(lambda: len(server.requests) == 2)

            failure = await refused(channel, greedy, predict_request())

            assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_PREDICTIONS")
            assert failure.retry_after_s == 0.5
            assert version_of(await call(channel, other, predict_request())) == 1
            await asyncio.gather(*held)
            too_long = await refused(channel, other, predict_request(values=[1.0] * 1200))
            assert too_long.reason == "REQUEST_TOO_LARGE"


async def test_more_often_than_the_rate_is_refused_with_the_time_to_wait(tmp_path: Path, front: str) -> None:
    limits = {"rate_per_s": 0.05, "burst": 3}
    async with running_proxy(tmp_path, front, predictions=limits) as stack, stack.model_server(1):
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        token = stack.issuers.token("predictor", "default")
        async with stack.channel() as channel:
            for _ in range(3):
                await call(channel, token, predict_request())
            failure = await refused(channel, token, predict_request())

        assert (failure.code, failure.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
        assert failure.retry_after_s is not None
        assert 0 < failure.retry_after_s <= 20


async def test_before_the_first_table_a_prediction_is_told_to_wait(tmp_path: Path, front: str) -> None:
    async with running_proxy(tmp_path, front, inference={"target": f"unix:{tmp_path}/away.sock"}) as stack:
        async with stack.channel() as channel:
            failure = await refused(channel, stack.issuers.token("predictor", "default"), predict_request())

        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "ROUTES_UNKNOWN")


async def test_a_client_that_hangs_up_ends_the_prediction(tmp_path: Path, front: str) -> None:
    async with running_proxy(tmp_path, front) as stack, stack.model_server(1) as server, stack.channel() as channel:
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        server.delay_s = 30
        asked = asyncio.create_task(call(channel, stack.issuers.token("predictor", "default"), predict_request()))
        await eventually(lambda: server.requests)

        asked.cancel()

        await eventually(lambda: [e for e in stack.access_log() if e["code"] == "CANCELLED"])
        await eventually(lambda: stack.metric("modelyard_predictions_in_flight", 0))


async def test_a_request_that_never_ends_ends_with_its_deadline(tmp_path: Path, front: str) -> None:
    async with running_proxy(tmp_path, front) as stack:
        await stack.route(route())
        host, _, port = stack.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        token = stack.issuers.token("predictor", "default")
        lines = ["POST /v1/models/digits:predict HTTP/1.1", "Host: x", "Content-Length: 100", "Grpc-Timeout: 400m"]
        writer.write("\r\n".join([*lines, f"Authorization: Bearer {token}", "", '{"instances"']).encode())

        answer = b""
        while b"}" not in answer and (more := await reader.read(1000)):
            answer += more

        assert answer.startswith(b"HTTP/1.1 504")
        assert b"before the request had arrived" in answer
        writer.close()


async def test_an_envoy_that_ends_by_itself_ends_the_process(plain: Stack) -> None:
    assert plain.child is not None
    for child in children_of(plain.child.pid):
        os.kill(child, signal.SIGKILL)

    assert (await plain.child.wait()).code == 1
    assert "Envoy ended by itself" in "\n".join(plain.lines)


async def test_model_servers_that_are_long_gone_are_forgotten(tmp_path: Path) -> None:
    async with running_proxy(tmp_path, "pyvoy", predictions={"timeout_s": 0.2}) as stack, stack.model_server(1):
        clusters = tmp_path / "run" / "clusters" / "backends.json"
        await stack.route(route(backends=[(1, stack.endpoint("1"), 100)]))
        assert stack.endpoint("1").removeprefix("unix:") in clusters.read_text()

        await stack.route(route(message="undeployed"))

        await eventually(lambda: stack.endpoint("1").removeprefix("unix:") not in clusters.read_text(), timeout_s=15)


async def test_an_address_that_means_nothing_costs_nobody_else_a_route(tmp_path: Path, front: str) -> None:
    async with running_proxy(tmp_path, front) as stack, stack.model_server(1), stack.channel() as channel:
        await stack.route(
            route("broken", backends=[(1, "nonsense", 100)]), route(backends=[(1, stack.endpoint("1"), 100)])
        )
        token = stack.issuers.token("predictor", "default")

        assert version_of(await call(channel, token, predict_request())) == 1
        assert (await refused(channel, token, predict_request("broken"))).reason == "NOTHING_SERVES"


async def test_pages_of_a_named_origin_may_call_and_others_not(tmp_path: Path) -> None:
    async with running_proxy(tmp_path, "auto", cors_origins=["https://console.example.org"]) as stack:
        named = await http(stack, "OPTIONS", PREDICT, headers=_preflight("https://console.example.org"))
        other = await http(stack, "OPTIONS", PREDICT, headers=_preflight("https://evil.example.org"))

    assert named.headers["access-control-allow-origin"] == "https://console.example.org"
    assert "authorization" in named.headers["access-control-allow-headers"]
    assert "access-control-allow-origin" not in other.headers


def _preflight(origin: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": "POST"}


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
