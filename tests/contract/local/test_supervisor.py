"""The supervisor with programs of a line: what dies is started again, and nothing is left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelyard.foundation.objectstore.s3 import S3Settings
from modelyard.foundation.sync import children
from modelyard.foundation.sync.children import ProgramMissing
from modelyard.local.errors import ProcessDidNotStart
from modelyard.local.processes import Process
from modelyard.local.store import Store
from modelyard.local.supervisor import Supervisor
from tests.support.eventually import eventually

WAITS = "import signal; signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
SETTINGS = S3Settings(endpoint="http://127.0.0.1:1", access_key="a", secret_key=SecretStr("s"), bucket="b")


class Ready(Store):
    """What processes without a health of their own are asked for; ready from the first moment on."""

    async def ready(self) -> None:
        return


class NeverReady(Store):
    """Waits for ever."""

    async def ready(self) -> None:
        await asyncio.Event().wait()


class Stage:
    """A supervisor and what it has told."""

    def __init__(self, folder: Path, kind: type[Store] = Ready, **programs: str) -> None:
        self.told: list[tuple[str, str]] = []
        processes = [
            Process(name, [sys.executable, "-S", "-c", code], dict(os.environ), folder, "", grace_s=5)
            for name, code in programs.items()
        ]
        store = kind("embedded", "none", SETTINGS, None)
        self.supervisor = Supervisor(processes, store, folder, lambda *what: self.told.append(what))
        self.folder = folder


@asynccontextmanager
async def started(folder: Path, **programs: str) -> AsyncIterator[Stage]:
    stage = Stage(folder, Ready, **programs)
    await stage.supervisor.start()
    try:
        yield stage
    finally:
        stage.supervisor.hurry()
        await stage.supervisor.stop()


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    async with started(tmp_path, one=WAITS, two=WAITS) as stage:
        before = stage.supervisor.pids()
        os.kill(before["one"], signal.SIGKILL)
        await eventually(lambda: stage.told.count(("one", "ready")) == 2)
        after = stage.supervisor.pids()
        assert after["one"] != before["one"]
        assert after["two"] == before["two"]
        assert stage.supervisor.restarts == {"one": 1, "two": 0}


async def test_a_process_whose_program_is_away_for_a_while_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(tmp_path, one=WAITS) as stage:
        first = stage.supervisor.pids()["one"]
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(children, "find_program", missing)
            os.kill(first, signal.SIGKILL)
            await eventually(lambda: stage.supervisor.restarts["one"] >= 2)
        await eventually(lambda: stage.told.count(("one", "ready")) == 2)


def missing(name: str) -> str:
    raise ProgramMissing(f"there is no program {name} on this machine", program=name)


async def test_one_that_cannot_start_is_the_end_with_its_own_last_words(tmp_path: Path) -> None:
    stage = Stage(tmp_path, NeverReady, good=WAITS, bad="raise SystemExit('the disk is on fire')")
    with pytest.raises(ProcessDidNotStart, match="bad has ended: the disk is on fire"):
        await stage.supervisor.start()
    await stage.supervisor.stop()
    assert stage.supervisor.pids() == {}


async def test_stopping_in_the_middle_of_the_start_leaves_nothing(tmp_path: Path) -> None:
    for turns in range(1, 40, 4):
        stage = Stage(tmp_path, one=WAITS, two=WAITS)
        starting = asyncio.create_task(stage.supervisor.start())
        for _ in range(turns):
            await asyncio.sleep(0.002)  # somewhere in the start
        starting.cancel()
        await asyncio.wait((starting,))
        pids = stage.supervisor.pids().values()
        await stage.supervisor.stop()
        assert not [pid for pid in pids if is_there(pid)]


async def test_a_second_signal_does_not_wait_for_who_does_not_listen(tmp_path: Path) -> None:
    async with started(tmp_path, deaf=DEAF) as stage:
        await eventually(lambda: "deaf" in (tmp_path / "deaf.log").read_text())
        stopping = asyncio.create_task(stage.supervisor.stop())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        stage.supervisor.hurry()
        await asyncio.wait_for(stopping, 2)
        assert stage.supervisor.pids() == {}


async def test_what_a_process_prints_is_in_its_log(tmp_path: Path) -> None:
    async with started(tmp_path, one=f"print('hello', flush=True); {WAITS}"):
        await eventually(lambda: (tmp_path / "one.log").read_text() == "hello\n")
