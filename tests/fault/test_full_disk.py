"""A full disk is told in a sentence, by whoever meets it; what is there goes on."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from tests.fault.conftest import EMBEDDED
from tests.support.stack import Stack, free_port, plain_environment, until, write_digits

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        os.getuid() != 0 or shutil.which("unshare") is None, reason="a small file system needs root and unshare"
    ),
]
IN_A_SMALL_PLACE = """
set -e
mkdir -m 700 -p .modelyard/{part}
echo '{{"version": "0", "format": 1}}' > .modelyard/VERSION.json
mount -t tmpfs -o size={size} none .modelyard/{part}
exec "$@"
"""


@contextmanager
def installation(home: Path, part: str, size: str) -> Iterator[Stack]:
    """`modelyard up` whose data folder has only `size` for `part`: in a mount namespace of its own, gone with it."""
    stack = Stack(home, free_port())
    script = IN_A_SMALL_PLACE.format(part=part, size=size)
    up = [sys.executable, "-m", "modelyard.cli", "up", "--port", str(stack.port)]
    with (home / "up.out").open("w") as out:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script, "sh", *up],
            cwd=home,
            env=plain_environment() | EMBEDDED,
            stdout=out,
            stderr=out,
        )
    try:
        until(lambda: (stack.folder / "up.json").exists() or process.poll() is not None, timeout_s=120)
        assert process.poll() is None, (home / "up.out").read_text()
        yield stack
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)
        assert stack.processes() == {}


def write_noise(folder: Path, count: int, side: int) -> None:
    """Pictures that no compression makes smaller."""
    random = np.random.default_rng(0)
    for number in range(count):
        place = folder / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(place)


def failed_attempt(client: Client, name: str) -> job_pb2.Attempt:
    """The job's first attempt, once it has failed; the job is called off then."""

    def first() -> job_pb2.Attempt | None:
        attempt = list(client.jobs.attempts(name))[-1:]
        return attempt[0] if attempt and attempt[0].state == job_pb2.Attempt.STATE_FAILED else None

    found = until(first, timeout_s=120)
    client.jobs.cancel(name)
    return found


def test_a_push_that_does_not_fit_the_store_is_refused_and_a_smaller_one_taken(tmp_path: Path) -> None:
    write_noise(tmp_path / "large", 30, 700)
    write_noise(tmp_path / "small", 6, 28)
    with installation(tmp_path, "store", "25m") as stack:
        refused = stack.run("datasets", "push", "large", "large", status=6)
        assert "full disk" in refused.stderr
        assert "X-Amz" not in refused.stderr
        stack.run("datasets", "push", "small", "small")
        assert [each["name"].rpartition("/")[2] for each in stack.json("datasets", "list")] == ["small"]


def test_a_worker_without_room_says_so(tmp_path: Path) -> None:
    write_noise(tmp_path / "large", 12, 300)
    write_digits(tmp_path / "digits", 200)
    with installation(tmp_path, "work", "1500k") as stack, Client(stack.address, token=stack.token) as client:
        client.datasets.push("large", tmp_path / "large")
        client.datasets.push("digits", tmp_path / "digits")
        attempt = failed_attempt(client, client.jobs.create("image-classification", "large").name)
        assert attempt.failure_class == job_pb2.Job.FAILURE_CLASS_STORAGE
        assert "bytes left" in attempt.message
        assert "free some space" in attempt.message

        attempt = failed_attempt(client, client.jobs.create("image-classification", "digits").name)
        assert attempt.failure_class == job_pb2.Job.FAILURE_CLASS_STORAGE
        assert "disk is full" in attempt.message
