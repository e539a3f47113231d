"""Logs are JSON lines without secrets; metrics are served on this machine only."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from modelyard.foundation.telemetry import logs
from modelyard.foundation.telemetry.metrics import Exposition, RpcMetrics
from tests.support.servers import Issuers


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root, hook = logging.getLogger(), sys.excepthook
    before = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("catalog", handler=logging.StreamHandler(stream))
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    sys.excepthook = hook


def test_one_event_is_one_line_of_json(stream: io.StringIO) -> None:
    logging.getLogger("modelyard.x").info("job\nassigned", extra={"job": "projects/p/jobs/j", "count": 3})
    assert stream.getvalue().count("\n") == 1
    event = json.loads(stream.getvalue())
    assert (event["event"], event["job"], event["count"]) == ("job\nassigned", "projects/p/jobs/j", 3)
    assert (event["level"], event["process"], event["logger"]) == ("info", "catalog", "modelyard.x")


def test_a_traceback_is_part_of_the_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert "ValueError: boom" in json.loads(stream.getvalue())["traceback"]


def test_tokens_and_signatures_are_never_logged(stream: io.StringIO, issuers: Issuers) -> None:
    token = issuers.token()
    url = "http://h/b/k?X-Amz-Credential=ak%2F2026&X-Amz-Signature=deadbeef&partNumber=1"
    logging.getLogger("x").warning(
        "got %s",
        f"Bearer {token}",
        extra={"token": token, "nested": {"a": [token]}, "url": url, "bytes": b"Bearer abc"},
    )
    text = stream.getvalue()
    assert token not in text
    assert token.split(".")[2] not in text
    assert "deadbeef" not in text
    assert "partNumber=1" in text
    assert "Bearer abc" not in text


def test_a_long_value_is_cut(stream: io.StringIO) -> None:
    logging.getLogger("x").info("x", extra={"long": "y" * 100_000})
    assert len(stream.getvalue()) < 9000


def test_text_is_for_people(stream: io.StringIO) -> None:
    logs.configure("catalog", format="text", handler=logging.StreamHandler(stream))
    logging.getLogger("x").info("hello", extra={"job": "j"})
    assert stream.getvalue().rstrip().endswith("info    hello job=j")


def test_an_uncaught_exception_is_an_event(stream: io.StringIO) -> None:
    error = ValueError("boom")
    sys.excepthook(ValueError, error, None)
    assert json.loads(stream.getvalue())["level"] == "critical"


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str = "/metrics") -> str:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode()


async def test_prometheus_reads_on_a_unix_socket_and_on_loopback(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    RpcMetrics(registry).began("/m")
    on_socket, on_port = Exposition(registry, f"unix:{tmp_path}/m.sock"), Exposition(registry, "127.0.0.1:0")
    await on_socket.start()
    address = await on_port.start()
    try:
        line = 'modelyard_rpcs_in_flight{method="/m"} 1.0'
        assert line in await get(*await asyncio.open_unix_connection(f"{tmp_path}/m.sock"))
        host, _, port = address.rpartition(":")
        assert line in await get(*await asyncio.open_connection(host, int(port)))
        assert "404" in (await get(*await asyncio.open_connection(host, int(port)), "/other")).splitlines()[0]
    finally:
        await on_socket.stop()
        await on_port.stop()


def test_metrics_are_not_served_to_other_machines() -> None:
    with pytest.raises(ValueError, match="loopback"):
        Exposition(CollectorRegistry(), "0.0.0.0:0")
