"""The supervisor itself: killed, told to stop, interrupted while it starts."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import Unavailable
from modelyard.sdk.jobs import State
from tests.fault.conftest import EMBEDDED, wait_until_saved
from tests.support.ports import free_port
from tests.support.stack import Stack, held_out, plain_environment, until

pytestmark = pytest.mark.timeout(300)

LONGEST_START_S = 6.0
SOAK = (pytest.mark.soak, pytest.mark.timeout(900))
ENDLESS = {"epochs": 10_000, "batch_size": 16, "checkpoint_every_s": 1}


def next_attempt(client: Client, name: str, number: int) -> job_pb2.Attempt:
    """The attempt of that number, once it trains."""
    for job in client.jobs.watch(name):
        if job.attempt == number and job.state == State.STATE_RUNNING:
            return next(iter(client.jobs.attempts(name)))
    raise AssertionError(f"the job has ended: {job}")


def is_served(client: Client) -> bool:
    images, _ = held_out(1)
    try:
        client.deployments.predict("digits", {"image": images})
    except Unavailable:
        return False
    return True


def sockets_of_the_store(stack: Stack) -> list[Path]:
    """SeaweedFS puts them into /tmp, by the number of the port."""
    ports = json.loads((stack.folder / "store" / "ports.json").read_text())
    return [path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock")]


def test_after_its_death_nothing_is_left_and_the_next_one_goes_on(stack: Stack, client: Client) -> None:
    name = client.jobs.create("image-classification", "digits", parameters=ENDLESS).name
    saved = wait_until_saved(client, name).progress.checkpoint_step
    pid = stack.supervisor()
    assert pid
    os.kill(pid, signal.SIGKILL)
    # A process that is killed has no command line any more a moment before it lets go of its lock.
    until(lambda: stack.processes() == {} and stack.supervisor() is None, timeout_s=10)

    stack.up(environment=EMBEDDED)
    assert next_attempt(client, name, 2).start_step >= saved
    until(lambda: is_served(client), timeout_s=60)

    trained = wait_until_saved(client, name, beyond=saved).progress.step
    stack.run("down")
    assert stack.processes() == {}
    assert sockets_of_the_store(stack) == []
    stack.up(environment=EMBEDDED)
    assert next_attempt(client, name, 3).start_step >= trained, "`down` gives a job the time to checkpoint"
    client.jobs.cancel(name)
    *_, job = client.jobs.watch(name)
    assert job.state == State.STATE_CANCELLED


@pytest.mark.parametrize("moments", [2, pytest.param(20, marks=SOAK)])
def test_an_interrupt_at_any_moment_of_the_start_leaves_nothing(tmp_path: Path, moments: int) -> None:
    chance = random.Random(8470)
    stack = Stack(tmp_path, free_port())
    for after_s in sorted(chance.uniform(0.2, LONGEST_START_S) for _ in range(moments)):
        started = subprocess.Popen(
            [sys.executable, "-m", "modelyard.cli", "up", "--port", str(stack.port)],
            cwd=tmp_path,
            env=plain_environment() | EMBEDDED,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            time.sleep(after_s)  # any moment
            started.send_signal(signal.SIGINT)
            said, _ = started.communicate(timeout=60)
        finally:
            started.kill()
        assert stack.processes() == {}, (after_s, said)
        assert stack.supervisor() is None
        assert not (stack.folder / "up.json").exists()
        assert not (stack.folder / "run").exists()
        with socket.create_server(("127.0.0.1", stack.port)):
            pass
    stack.up(environment=EMBEDDED)
    stack.run("status")
    stack.run("down")
    assert stack.processes() == {}
