"""A full disk is told in a sentence, by whoever meets it; what is there goes on."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from tests.fault.conftest import EMBEDDED
from tests.support.ports import free_port
from tests.support.stack import Stack, plain_environment, until, write_digits

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        os.getuid() != 0 or shutil.which("unshare") is None, reason="a small file system needs root and unshare"
    ),
]
PLACES = {"store": "25m", "work": "1500k"}
"""Parts of the data folder with little room."""
IN_SMALL_PLACES = """
set -e
mkdir -m 700 -p .modelyard
echo '{"version": "0", "format": 1}' > .modelyard/VERSION.json
for place in $PLACES; do
  mkdir -m 700 ".modelyard/${place%=*}"
  mount -t tmpfs -o "size=${place#*=}" none ".modelyard/${place%=*}"
done
exec "$@"
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`modelyard up` in a mount namespace of its own, where the disk is nearly full; gone with it."""
    home = tmp_path_factory.mktemp("small")
    stack = Stack(home, free_port())
    up = [sys.executable, "-m", "modelyard.cli", "up", "--port", str(stack.port)]
    places = " ".join(f"{name}={size}" for name, size in PLACES.items())
    with (home / "up.out").open("w") as out:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", IN_SMALL_PLACES, "sh", *up],
            cwd=home,
            env=plain_environment() | EMBEDDED | {"PLACES": places},
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


def test_a_worker_without_room_says_so(small: Stack) -> None:
    write_noise(small.home / "pictures", 12, 300)
    write_digits(small.home / "digits", 200)
    with Client(small.address, token=small.token) as client:
        client.datasets.push("pictures", small.home / "pictures")
        client.datasets.push("digits", small.home / "digits")
        attempt = failed_attempt(client, client.jobs.create("image-classification", "pictures").name)
        assert attempt.failure_class == job_pb2.Job.FAILURE_CLASS_STORAGE
        assert "bytes left" in attempt.message
        assert "free some space" in attempt.message

        attempt = failed_attempt(client, client.jobs.create("image-classification", "digits").name)
        assert attempt.failure_class == job_pb2.Job.FAILURE_CLASS_STORAGE
        assert "disk is full" in attempt.message


def test_a_push_that_does_not_fit_is_refused_and_what_is_there_stays(small: Stack) -> None:
    write_noise(small.home / "few", 6, 28)
    small.run("datasets", "push", "few", "few")
    write_noise(small.home / "large", 30, 700)
    refused = small.run("datasets", "push", "large", "large", status=6)
    assert "full disk" in refused.stderr
    assert "X-Amz" not in refused.stderr
    assert "large" not in [each["name"].rpartition("/")[2] for each in small.json("datasets", "list")]
    small.run("datasets", "pull", "few@1", "pulled")
    small.run("status")
