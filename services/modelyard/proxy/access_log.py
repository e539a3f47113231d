"""One JSON line for each prediction.

Not by `logging`: that would cost more than all the rest of a prediction. Lines are gathered and written together.
"""

import asyncio
import logging
import os
import time
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from modelyard.proxy.embedding import STDERR_VARIABLE

log = logging.getLogger(__name__)

_FLUSH_S = 0.1
_FLUSH_BYTES = 64 * 1024
_quote = encode_basestring_ascii


class AccessEvent(NamedTuple):
    """One prediction."""

    method: str
    deployment: str
    version: int
    code: str
    seconds: float
    subject: str
    request_id: str
    peer: str
    bytes_in: int
    bytes_out: int
    reason: str
    """Of the error it was answered with, "" without one."""


class AccessLog:
    def __init__(self, where: str, process: str = "proxy") -> None:
        """`where` is "stderr", a file's path or "" (nothing is written)."""
        self._descriptor = -1
        self._owned = False
        if where == "stderr":
            self._descriptor = int(os.environ.get(STDERR_VARIABLE, "2"))
        elif where:
            self._descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._owned = True
        self._constant = f'"level":"info","process":"{process}","logger":"access"'
        self._lines: list[str] = []
        self._size = 0
        self._rest = b""
        """Of a line that there was room for only in part."""
        self._lost = 0
        """Lines since the last write that went well."""
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._stamp = ""

    @property
    def enabled(self) -> bool:
        return self._descriptor >= 0

    def write(self, event: AccessEvent) -> None:
        if self._descriptor < 0:
            return
        line = self._line(event)
        self._lines.append(line)
        self._size += len(line)
        if self._size >= _FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        data = self._rest + "".join(self._lines).encode()
        self._lines.clear()
        self._size = 0
        if data:
            self._put(data)

    def close(self) -> None:
        if self._descriptor >= 0:
            self.flush()
        if self._owned:
            os.close(self._descriptor)
        self._descriptor = -1

    def _put(self, data: bytes) -> None:
        """Lines that cannot be written are lost, and fail no prediction: it has been answered."""
        begun = bool(self._rest)
        failing = begun or self._lost > 0
        try:
            while data:
                written = os.write(self._descriptor, data)
                begun = not data.endswith(b"\n", 0, written)
                data = data[written:]
        except OSError as error:
            if not failing:
                log.error("the access log cannot be written, its lines are lost", extra={"error": error.strerror})
            end = data.find(b"\n") + 1 if begun else 0
            self._rest = data[:end]
            self._lost += data.count(b"\n", end)
            return
        if failing:
            log.warning("the access log is written again", extra={"lost": self._lost})
            self._rest, self._lost = b"", 0

    def _line(self, event: AccessEvent) -> str:
        reason = f',"reason":{_quote(event.reason)}' if event.reason else ""
        return (
            f'{{"time":"{self._time()}",{self._constant},"event":"prediction","method":"{event.method}",'
            f'"deployment":{_quote(event.deployment)},"version":{event.version},"code":"{event.code}",'
            f'"ms":{event.seconds * 1000:.2f},"subject":{_quote(event.subject)},'
            f'"request_id":{_quote(event.request_id)},"peer":{_quote(event.peer)},'
            f'"bytes_in":{event.bytes_in},"bytes_out":{event.bytes_out}{reason}}}\n'
        )

    def _time(self) -> str:
        """ISO 8601 to the millisecond; the part down to the second is formatted once a second."""
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._stamp}.{int((now - second) * 1000):03d}+00:00"
