"""What a prediction costs on its way through the proxy: `python -m tests.bench.proxy`.

    CPU        of the proxy's processes per plain 3 KB request, everything on, against a bare grpc.aio pass-through of
               the same bytes to the same echo (from /proc; 32 in flight)
    added p50  open loop at 200 requests/s, through the proxy and straight to the echo, in pairs
    control    p99 of a control call through the same address, with and without 1,000 predictions/s beside it

Seven interleaved pairs each; medians, with the smallest and the largest in brackets.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.bench.proxy_peers import PREDICT, body
from tests.bench.rows import Row, at_most_times
from tests.contract.proxy.stack import Stack, route, running_proxy
from tests.support.ports import free_port

CPU_TARGET = 0.55
CONTROL_TARGET = 2.0
IN_FLIGHT, CONNECTIONS, CLOSED_CALLS = 32, 8, 10_000
ADDED_RATE, CONTROL_RATE, LOAD_RATE, OPEN_S = 200, 100, 1_000, 6.0
LEAD_S, LOAD_S = 1.0, OPEN_S + 2.0
CONTROL = "/modelyard.api.catalog.v1.DatasetService/GetDataset"


async def measure(pairs: int, front: str) -> list[Row]:
    """CPU and added latency of a prediction, and a control call's beside many of them."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        echo, bare = f"unix:{folder}/echo.sock", f"127.0.0.1:{free_port()}"
        async with (
            running_proxy(folder, front, access_log=f"{folder}/access.log") as stack,
            peer("echo", echo),
            peer("bare", bare, echo) as bare_pid,
        ):
            assert stack.child is not None
            token = stack.issuers.token("predictor", "default")
            await stack.route(route(backends=[(1, echo, 100)]))
            front = "pyvoy" if any('"front": "pyvoy"' in line for line in stack.lines) else "aio"
            print(f"  front {front}", flush=True)
            return [
                await cpu_per_request(stack, token, bare, bare_pid, pairs),
                *await added_latency(stack, token, echo, pairs),
                await control_latency(stack, token, pairs),
            ]


async def cpu_per_request(stack: Stack, token: str, bare: str, bare_pid: int, pairs: int) -> Row:
    assert stack.child is not None
    ours: list[float] = []
    theirs: list[float] = []
    good = await answered(stack)
    for _ in range(pairs):
        for spent, address, pid in ((ours, stack.address, stack.child.pid), (theirs, bare, bare_pid)):
            before = cpu_s(pid)
            await h2load(stack.folder, address, token, "-n", CLOSED_CALLS)
            spent.append((cpu_s(pid) - before) / CLOSED_CALLS * 1e6)
    if await answered(stack) - good != pairs * CLOSED_CALLS:
        raise RuntimeError("some predictions were refused")
    return Row("proxy, CPU a request", ours, "us", theirs, "bare grpc.aio", at_most_times(CPU_TARGET))


async def added_latency(stack: Stack, token: str, echo: str, pairs: int) -> list[Row]:
    through: list[float] = []
    straight: list[float] = []
    for _ in range(pairs):
        for found, address in ((through, stack.address), (straight, echo)):
            found.append(statistics.median(await latencies("open", address, token, ADDED_RATE, OPEN_S, PREDICT)) * 1e3)
    added = [a - b for a, b in zip(through, straight, strict=True)]
    return [
        Row(f"proxy, p50 at {ADDED_RATE}/s", through, "ms", straight, "straight"),
        Row("proxy, added to p50", added, "ms"),
    ]


async def control_latency(stack: Stack, token: str, pairs: int) -> Row:
    """Its 99th percentiles."""
    alone: list[float] = []
    beside: list[float] = []
    reached: list[float] = []
    for _ in range(pairs):
        alone.append(p99(await latencies("open", stack.address, token, CONTROL_RATE, OPEN_S, CONTROL)) * 1e3)
        before = await answered(stack)
        load = asyncio.create_task(
            h2load(stack.folder, stack.address, token, "-D", f"{LOAD_S:g}", "--rps", LOAD_RATE // CONNECTIONS)
        )
        await asyncio.sleep(LEAD_S)
        beside.append(p99(await latencies("open", stack.address, token, CONTROL_RATE, OPEN_S, CONTROL)) * 1e3)
        await load
        reached.append((await answered(stack) - before) / LOAD_S)
    what = f"control call's p99 beside {LOAD_RATE} predictions/s"
    notes = {"predictions/s": statistics.median(reached)}
    return Row(what, beside, "ms", alone, "alone", at_most_times(CONTROL_TARGET), notes)


async def h2load(folder: Path, address: str, token: str, *arguments: object) -> None:
    """`IN_FLIGHT` predictions at a time, over several connections."""
    message = body()
    file = folder / "body"
    file.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    headers = ("content-type: application/grpc", "te: trailers", "grpc-timeout: 10S", f"authorization: Bearer {token}")
    uri = "http://" + address + PREDICT
    process = await asyncio.create_subprocess_exec(
        *("h2load", "-c", str(CONNECTIONS), "-m", str(IN_FLIGHT // CONNECTIONS), "-d", str(file)),
        *(part for header in headers for part in ("-H", header)),
        *map(str, arguments),
        uri,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    if process.returncode or b" 0 failed, 0 errored" not in output:
        raise RuntimeError(f"h2load failed:\n{output.decode()}")


async def answered(stack: Stack) -> float:
    """How many predictions the proxy has answered with OK."""
    found = re.search(r'modelyard_predictions_total\{code="OK",[^}]*method="Predict"\} (\S+)', await stack.metrics())
    return float(found[1]) if found else 0.0


async def latencies(role: str, address: str, token: str, *arguments: object) -> list[float]:
    process = await asyncio.create_subprocess_exec(
        *_command(role, address, token, *map(str, arguments)), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    found: list[float] = json.loads(output or b"[]")
    return found


@asynccontextmanager
async def peer(role: str, address: str, *arguments: str) -> AsyncIterator[int]:
    """A peer that takes calls; its process ID."""
    process = await asyncio.create_subprocess_exec(*_command(role, address, *arguments), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, to the nanosecond, and of its children that live."""
    threads = list(Path(f"/proc/{pid}/task").iterdir())
    spent = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    return spent + sum(cpu_s(int(child)) for child in children)


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _command(role: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.proxy_peers", role, *arguments]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--front", choices=["auto", "pyvoy", "aio"], default="auto")
    arguments = parser.parse_args()
    rows = asyncio.run(measure(arguments.pairs, arguments.front))
    print(f"proxy, {os.cpu_count()} cores, {arguments.pairs} pairs")
    print("\n".join(row.line() for row in rows))
    sys.exit(0 if all(row.is_met in (True, None) for row in rows) else 1)
