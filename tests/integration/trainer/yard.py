"""A catalog, a scheduler and one address for both, in this process; workers as processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings
from modelyard.scheduler.runtime import running
from modelyard.sdk import Client
from modelyard.sdk.jobs import ENDED
from tests.support.catalog import running_catalog
from tests.support.one_address import one_address
from tests.support.scheduling import scheduler_settings
from tests.support.servers import Issuers


@dataclass(frozen=True)
class Yard:
    """Where workers and clients dial."""

    folder: Path
    address: str
    scheduler: str
    """For streams, which the address does not pass on."""
    issuers: Issuers

    def client(self) -> Client:
        return Client(self.address, token=self.issuers.token(ttl_s=3600))

    def log(self, job: str) -> list[str]:
        """What a job has printed."""
        with Client(self.scheduler, token=self.issuers.token(ttl_s=3600)) as client:
            return [entry.text for entry in client.jobs.logs(job)]

    @contextmanager
    def worker(
        self,
        name: str,
        program: Sequence[str] = ("-m", "modelyard.trainer"),
        environment: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> Iterator["WorkerProcess"]:
        """`python -m modelyard.trainer`, ended with SIGKILL if it is still there; `changes` are settings of its own."""
        home = self.folder / name
        home.mkdir(exist_ok=True)
        token = home / "token"
        token.write_text(self.issuers.token("worker", subject=f"workers/{name}", ttl_s=3600))
        settings = {
            "worker": name,
            "server": {"target": self.address},
            "identity": {"trust_file": str(self.folder / "trust.json"), "token_file": str(token)},
            "listen": {"listen": f"unix:{home}/trainer.sock"},
            "work_folder": str(home / "work"),
            **changes,
        }
        (home / "trainer.toml").write_text(tomli_w.dumps(settings))
        with (home / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *program, "--config", str(home / "trainer.toml")],
                env=os.environ | (environment or {}),
                stdout=log,
                stderr=log,
            )
        try:
            yield WorkerProcess(home, process)
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class WorkerProcess:
    """A worker that runs."""

    home: Path
    process: "subprocess.Popen[bytes]"

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def jobs(self) -> list[int]:
        """The processes of its jobs."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if b"modelyard.job" in words and any(os.fsencode(self.home) in word for word in words):
                    found.append(int(entry.name))
        return found

    def descendants(self) -> list[str]:
        """Command lines of everything that it has started, and of what that has started."""
        parents, names = {}, {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    after = (entry / "stat").read_text().rpartition(")")[2].split()
                    names[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                parents[int(entry.name)] = int(after[1])
        found, waiting = [], [self.process.pid]
        while waiting:
            parent = waiting.pop()
            children = [pid for pid, of in parents.items() if of == parent]
            found += [names[pid] for pid in children]
            waiting += children
        return found

    def attempts(self) -> list[str]:
        """Folders of attempts that it has not removed."""
        return sorted(path.name for path in (self.home / "work" / "attempts").glob("*"))

    def drain(self) -> int:
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@asynccontextmanager
async def running_yard(folder: Path, s3: S3Settings, **attempts: Any) -> AsyncIterator[Yard]:
    """`attempts` are the scheduler's settings of that section."""
    issuers = Issuers()
    async with AsyncExitStack() as stack:
        catalog = await stack.enter_async_context(running_catalog(folder, s3, issuers=issuers))
        sql = SqlSettings.model_validate({"url": f"sqlite:///{folder}/scheduler.sqlite"})
        settings = scheduler_settings(folder, sql, catalog.address, issuers, **attempts)
        scheduler = await stack.enter_async_context(running(settings))
        stack.push_async_callback(scheduler.server.stop, 0)
        address = f"unix:{folder}/yard.sock"
        targets = {
            "/modelyard.api.catalog.": catalog.address,
            "/modelyard.api.scheduler.": scheduler.server.address,
        }
        await stack.enter_async_context(one_address(address, targets))
        yield Yard(folder, address, scheduler.server.address, issuers)


def files_of(folder: Path) -> list[str]:
    """Paths of the files in a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def wait_for(client: Client, job: str, condition: Callable[[job_pb2.Job], bool], timeout_s: float = 220) -> job_pb2.Job:
    """The job once `condition` holds; fails when it has ended before, with what it ended with."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = client.jobs.get(job)
        if condition(found):
            return found
        assert found.state not in ENDED, found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)  # the address of the test passes on unary calls only


def ended(client: Client, job: str, timeout_s: float = 220) -> job_pb2.Job:
    return wait_for(client, job, lambda job: job.state in ENDED, timeout_s)
