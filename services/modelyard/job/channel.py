"""The child's end of the inherited socket."""

import fcntl
import os
import signal
import socket
import sys
import termios
import threading
import time
from typing import Protocol

from modelyard.job.messages import Checkpointed, ChildMessage, Stop
from modelyard.job.wire import decode_worker, encode

FINISH_S = 10.0
ORPHANED = 75
"""Exit status of a child whose worker is gone: its attempt is over, and nobody takes what it makes."""


class Channel(Protocol):
    """What a job needs of its worker."""

    stop: threading.Event
    """Set when the job is to save and end."""
    published: int
    """The newest checkpoint's step that is safe elsewhere; -1 before the first."""

    def send(self, message: ChildMessage) -> None:
        """Say something to the worker; may block while the worker is busy."""

    def finish(self) -> None:
        """All is said: from here on the worker may go."""


class SocketChannel:
    """A thread reads; the end of the stream ends the process at once."""

    def __init__(self, fd: int) -> None:
        self.stop = threading.Event()
        self.published = -1
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(True)
        self._sending = threading.Lock()
        self._finished = False
        self._mute = False
        os.register_at_fork(after_in_child=self._fall_silent)
        threading.Thread(target=self._read, name="worker-messages", daemon=True).start()

    def send(self, message: ChildMessage) -> None:
        """Blocks while the worker does not read: a job never runs ahead of its own reports."""
        if self._mute:
            return
        with self._sending:
            try:
                self._socket.sendall(encode(message))
            except OSError:
                os._exit(ORPHANED)

    def finish(self) -> None:
        """Returns when the worker has taken every message: a socket that closes earlier may lose the last ones."""
        if self._mute:
            return
        self._finished = True
        self._socket.shutdown(socket.SHUT_WR)
        give_up = time.monotonic() + FINISH_S
        while self._untaken() and time.monotonic() < give_up:
            time.sleep(0.002)

    def _fall_silent(self) -> None:
        """In a process that the job's code has forked: the line is the job's, and its end would be the job's too."""
        if not self._mute:
            self._mute = True
            # Not the socket's own `close`, which leaves the descriptor to the reader, a thread that is not here.
            os.close(self._socket.detach())

    def _untaken(self) -> int:
        """Bytes that the worker has not read; there is no call that waits for it."""
        size = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(size, sys.byteorder)

    def _read(self) -> None:
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._take(line)
        finally:
            if not self._finished:
                os._exit(ORPHANED)

    def _take(self, line: bytes) -> None:
        match decode_worker(line):
            case Stop():
                self.stop.set()
            case Checkpointed(step):
                self.published = max(self.published, step)


def stop_at_sigterm(stop: threading.Event) -> None:
    """SIGTERM asks this process to stop. Those that the job's code forks die of it, as `multiprocessing` expects."""
    before = threading.local()

    def ask(*_: object) -> None:
        stop.set()

    def hold() -> None:
        # Python forgets a signal that comes while the new process begins, as when a Pool is left at once.
        before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)

    def die() -> None:
        if signal.getsignal(signal.SIGTERM) is ask:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        release()

    signal.signal(signal.SIGTERM, ask)
    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=die)


class SilentChannel:
    """Where there is no worker; every checkpoint counts as safe."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.published = 1 << 62

    def send(self, message: ChildMessage) -> None:
        """Nobody listens."""

    def finish(self) -> None:
        """Nobody leaves."""
