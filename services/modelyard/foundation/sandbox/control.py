"""Our end of the socket to a sandbox's guardian (stage.py)."""

import asyncio
import contextlib
import marshal
import os
import signal
import socket
import struct
from typing import Any

_CREDENTIALS = struct.Struct("3i")
_LENGTH = struct.Struct("!I")


class Control:
    """Whatever it says is by code of ours: the program can't reach the other end."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._ours.setblocking(False)
        self._pending = b""
        self.guardian = 0
        """Its process number as we see it; 0 until it has spoken."""
        self._process = -1
        self.status: int | None = None
        """The program's wait status, once it has ended."""
        self.left = 0
        """How many processes it left behind then."""
        self.started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """"" once the program runs, else why it can't."""
        asyncio.get_running_loop().add_reader(self._ours.fileno(), self.read)

    async def order(self, orders: dict[str, Any]) -> None:
        """What to run, and how."""
        data = marshal.dumps(orders)
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_sendall(self._ours, _LENGTH.pack(len(data)) + data)

    def send(self, number: int) -> None:
        """A signal for the program; 0 ends everything."""
        with contextlib.suppress(ConnectionError, BlockingIOError):
            self._ours.send(bytes([number]))

    def kill_guardian(self) -> None:
        """SIGKILL; nothing when it has ended."""
        if self._process >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def read(self) -> None:
        """Takes in what has been said."""
        while True:
            try:
                data, extra, _, _ = self._ours.recvmsg(4096, socket.CMSG_SPACE(_CREDENTIALS.size))
            except BlockingIOError:
                return
            except ConnectionError:
                data, extra = b"", []
            if not data:
                self._silence()
                return
            for level, kind, value in extra:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    self._meet(_CREDENTIALS.unpack(value[: _CREDENTIALS.size])[0])
            *lines, self._pending = (self._pending + data).split(b"\n")
            for line in lines:
                self._take(line.decode("utf-8", "replace"))

    def _meet(self, process: int) -> None:
        """It lives as it speaks, so the number is its own; later it might be another's."""
        if process != self.guardian:
            self.guardian = process
            with contextlib.suppress(ProcessLookupError):
                self._process = os.pidfd_open(process)

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "ended":
            self.status, self.left = map(int, rest.split())
        elif word in ("running", "failed") and not self.started.done():
            self.started.set_result(rest)

    def _silence(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours.fileno())
        if not self.started.done():
            self.started.set_result("it ended before the program could start")

    def close(self) -> None:
        if self._ours.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._ours.fileno())
        self._ours.close()
        self.theirs.close()
        if self._process >= 0:
            os.close(self._process)
            self._process = -1
