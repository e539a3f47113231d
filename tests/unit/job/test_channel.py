"""The child's end of the socket to the worker."""

import json
import os
import socket

from modelyard.job.channel import SocketChannel
from modelyard.job.messages import Metric


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
