"""Code that takes more than it was given is ended, alone, and told what it took too much of."""

import pytest

from tests.fault.own_code.conftest import Bench, Class, State

pytestmark = pytest.mark.timeout(120)

FORKS = """
import os
while True:
    os.fork()
"""
THREADS = """
import threading
stay = threading.Event()
while True:
    threading.Thread(target=stay.wait, daemon=True).start()
"""
EATS_MEMORY = """
eaten = []
while True:
    eaten.append(bytearray(b"x") * (8 << 20))
"""
FILLS_THE_DISK = """
with open("scratch/file", "wb") as file:
    while True:
        file.write(bytes(1 << 20))
"""
MANY_SMALL = """
for number in range(1 << 40):
    with open(f"scratch/{number}", "wb") as file:
        file.write(bytes(1 << 19))
"""
MANY_FILES = """
for number in range(1 << 40):
    open(f"scratch/{number}", "wb").close()
"""
SPARSE = """
with open("scratch/file", "wb") as file:
    file.truncate(1 << 40)
"""


@pytest.mark.parametrize(
    ("script", "failure_class", "words"),
    [
        (FORKS, Class.FAILURE_CLASS_PIDS, "start fewer processes"),
        (THREADS, Class.FAILURE_CLASS_PIDS, "start fewer processes"),
        (EATS_MEMORY, Class.FAILURE_CLASS_HOST_OOM, "256 MiB"),
        (FILLS_THE_DISK, Class.FAILURE_CLASS_DISK_QUOTA, "write less"),
        (MANY_SMALL, Class.FAILURE_CLASS_DISK_QUOTA, "write less"),
        (MANY_FILES, Class.FAILURE_CLASS_DISK_QUOTA, "write less"),
        (SPARSE, Class.FAILURE_CLASS_DISK_QUOTA, "write less"),
    ],
    ids=["forks", "threads", "eats memory", "fills the disk", "many small files", "many empty files", "sparse file"],
)
def test_too_much_of_something_ends_the_job_by_its_name(
    bench: Bench, script: str, failure_class: int, words: str
) -> None:
    job = bench.run(script)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, failure_class), job.error
    assert job.error.message.startswith(("the job was ended: it ", "the code met a limit of its sandbox"))
    assert words in job.error.message
    assert job.attempt == 1


def test_a_job_that_never_ends_is_ended_when_its_time_is_over(bench: Bench) -> None:
    job = bench.start("import time\nsay('prepared', steps_per_epoch=1, total_steps=1, batch_size=1)\ntime.sleep(1000)")
    bench.running(job)
    bench.client.jobs.cancel(job.name)
    assert bench.ended(job, 10).state == State.STATE_CANCELLED


def test_one_that_ignores_every_signal_ends_all_the_same(bench: Bench) -> None:
    job = bench.start(
        "import signal, time\n"
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "say('prepared', steps_per_epoch=1, total_steps=1, batch_size=1)\n"
        "while True: time.sleep(1000)\n"
    )
    bench.running(job)
    bench.client.jobs.cancel(job.name)
    assert bench.ended(job, 10).state == State.STATE_CANCELLED


def test_what_a_job_has_started_in_the_background_ends_with_it(bench: Bench) -> None:
    script = (
        "import os, time\n"
        "for number in range(5):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        if os.fork() == 0:\n"
        "            time.sleep(1000)\n"
        "        os._exit(0)\n"
        "export()\n"
    )
    assert bench.run(script).state == State.STATE_SUCCEEDED


def test_a_million_lines_a_second_cost_the_job_its_lines_and_the_worker_nothing(bench: Bench) -> None:
    script = (
        "import os, time\n"
        "block = b'step 12345 loss 0.123456\\n' * 2000\n"
        "until = time.monotonic() + 8\n"
        "while time.monotonic() < until:\n"
        "    os.write(1, block)\n"
        "print('the end', flush=True)\n"
        "export()\n"
    )
    job = bench.run(script)
    assert job.state == State.STATE_SUCCEEDED, job
    assert job.attempt == 1, "its lease lasts 6 s: heartbeats went on"
    log = bench.log(job)
    assert "the end" in log
    assert "lines were left out: a job's log takes" in log


def test_a_hundred_thousand_metrics_slow_the_job_down_and_nobody_else(bench: Bench) -> None:
    script = (
        "import json, time\n"
        "line = json.dumps({'metric': {'step': 1, 'name': 'loss', 'value': 0.5}}).encode() + b'\\n'\n"
        "until = time.monotonic() + 10\n"
        "while time.monotonic() < until:\n"
        "    worker.sendall(line * 100)\n"
        "export()\n"
    )
    job = bench.run(script)
    assert job.state == State.STATE_SUCCEEDED, job
    assert job.attempt == 1
    assert "the job is slowed down" in bench.log(job)


def test_folders_deeper_than_any_path_may_be_are_removed(bench: Bench) -> None:
    script = (
        "import os\n"
        "place = os.open('scratch', os.O_RDONLY)\n"
        "for _ in range(1500):\n"
        "    os.mkdir('d' * 50, dir_fd=place)\n"
        "    place, left = os.open('d' * 50, os.O_RDONLY, dir_fd=place), place\n"
        "    os.close(left)\n"
        "os.chmod('scratch', 0)\n"
        "export()\n"
    )
    job = bench.run(script)
    # Whoever counts what it has written, while it runs, can't look that deep.
    ends = (
        (State.STATE_SUCCEEDED, Class.FAILURE_CLASS_UNSPECIFIED),
        (State.STATE_FAILED, Class.FAILURE_CLASS_DISK_QUOTA),
    )
    assert (job.state, job.failure_class) in ends, job.error
