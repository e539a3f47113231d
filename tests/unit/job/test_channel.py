"""The child's end of the socket to the worker."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from modelyard.job.channel import SocketChannel
from modelyard.job.messages import Checkpointed, Metric
from modelyard.job.wire import encode
from tests.support.eventually import eventually

STOPPABLE = """
import os, signal, threading
from modelyard.job.channel import stop_at_sigterm

def terminate():
    os.kill(os.getpid(), signal.SIGTERM)

os.register_at_fork(after_in_child=terminate)
stop = threading.Event()
stop_at_sigterm(stop)
if not (forked := os.fork()):
    os._exit(0)
assert os.WTERMSIG(os.waitpid(forked, 0)[1]) == signal.SIGTERM
assert not stop.is_set()
terminate()
assert stop.wait(10)
"""
"""What is forked is told to end while it has hardly begun."""


def test_a_process_that_the_code_forks_does_not_speak_for_the_job() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        channel = SocketChannel(theirs.detach())
        forked = os.fork()
        if forked == 0:
            channel.send(Metric(1, "forked", 0.0))
            channel.finish()
            os._exit(0)
        assert os.waitpid(forked, 0)[1] == 0
        channel.send(Metric(2, "job", 0.0))
        with ours.makefile("rb") as lines:
            assert json.loads(lines.readline())["metric"]["name"] == "job"
            channel._finished = True  # or the end of the line would end this process


def test_a_process_that_the_code_forks_does_not_keep_the_line_open() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        number = theirs.detach()
        channel = SocketChannel(number)
        ours.sendall(encode(Checkpointed(7)))
        asyncio.run(eventually(lambda: channel.published == 7))
        channel._finished = True
        forked = os.fork()
        if forked == 0:
            os._exit(Path(f"/proc/self/fd/{number}").exists())
        assert os.waitpid(forked, 0)[1] == 0
        os.fstat(number)


def test_sigterm_stops_a_job_and_ends_what_its_code_forks() -> None:
    """A Pool tells its processes to end by it, and waits until they have."""
    done = subprocess.run([sys.executable, "-c", STOPPABLE], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
