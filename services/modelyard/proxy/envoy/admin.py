"""Envoy's admin interface, on its unix socket."""

import asyncio
from pathlib import Path

_LONGEST_S = 5.0


async def ask(socket: Path, path: str, method: str = "GET") -> bytes:
    """The whole HTTP answer, head and body; OSError or TimeoutError when there is none."""
    async with asyncio.timeout(_LONGEST_S):
        reader, writer = await asyncio.open_unix_connection(str(socket))
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n".encode())
            return await reader.read()
        finally:
            writer.close()


async def stat(socket: Path, name: str) -> str:
    """The value of a counter, a gauge or a text readout, "" when there is none of that name."""
    answer = await ask(socket, f"/stats?filter=^{name}$")
    for line in answer.decode(errors="replace").splitlines():
        key, colon, value = line.partition(": ")
        if colon and key == name:
            return value.strip().strip('"')
    return ""
