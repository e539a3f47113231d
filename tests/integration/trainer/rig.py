"""One attempt with a scripted process, and fakes of all that it needs of the world."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import (
    Device,
    Outcome,
    StopReason,
)
from modelyard.trainer.reporter import Report, Reporter
from modelyard.trainer.work import Distribution, Evaluation, Installed, Resume, Work
from modelyard.trainer.workspace import Workspace
from tests.integration.trainer.yard import files_of
from tests.support.eventually import eventually

NAME = "projects/p/jobs/j/attempts/2"
VERSION = "projects/p/models/m/versions/1"
EVALUATION = f"{VERSION}/evaluations/j"
ANSWERS = "projects/p/datasets/answers/versions/1"
PROGRAM = (sys.executable, "-S", str(Path(__file__).with_name("scripted_job.py")))
TRAINED = [["prepared"], ["checkpoint", 10], ["hear", "checkpointed"], ["export"]]


class Rig:
    """An attempt, its catalog and its scheduler. `gates` hold a stage until they are opened."""

    def __init__(self, folder: Path, script: list[Any], *, resume: Resume | None = None, **work: Any) -> None:
        self.resume = resume
        self.foreign_model = False
        self.stages: list[str] = []
        self.closed: set[str] = set()
        self.gate = asyncio.Event()
        self.slow_to_cancel_s = 0.0
        self.errors: dict[str, Exception] = {}
        self.earlier: dict[str, str] = {}
        """What earlier attempts have stored as the output `run`."""
        self.stored: list[tuple[int, str]] = []
        self.outputs: dict[str, list[str]] = {}
        """The files of each, when it was stored last."""
        self.evaluation: Evaluation | None = None
        self.statistics = ""
        """What the profile's file said."""
        self.answers: list[str] = []
        """The files of the dataset that was made."""
        self.reports: list[Report] = []
        self.reporter = Reporter(NAME, self)
        self.folder = folder
        self.workspace = Workspace(folder, NAME)
        (folder / "dataset").mkdir(exist_ok=True)
        self._dataset = folder / "dataset"
        values: dict[str, Any] = {
            "attempt": NAME,
            "dataset_version": "projects/p/datasets/d/versions/1",
            "dataset_digest": "sha256:1",
            "model": "projects/p/models/m",
            "devices": (Device("cpu", 0),),
            "cpu_threads": 0,
            "checkpoint_every_s": 30.0,
            "parameters": {"script": script},
            "program": PROGRAM,
        }
        self.run = AttemptRun(Work(**{**values, **work}), self.workspace, self, self, self.reporter)

    async def begin(self, reporter: Reporter) -> Resume | None:
        await self._stage("begin")
        return self.resume

    @contextlib.asynccontextmanager
    async def dataset(self, reporter: Reporter) -> AsyncIterator[Path]:
        await self._stage("dataset")
        yield self._dataset
        self.stages.append("dataset is free")

    async def made_by_others(self, model_version: str, reporter: Reporter) -> bool:
        await self._stage("made by others")
        return self.foreign_model

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        await self._stage("checkpoint")
        await asyncio.to_thread(folder.mkdir)

    async def run_so_far(self, folder: Path, reporter: Reporter) -> None:
        await self._stage("run so far")
        for path, text in self.earlier.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)

    async def earlier_profiles(self, folder: Path, reporter: Reporter) -> tuple[str, ...]:
        await self._stage("earlier profile")
        return ()

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        await self._stage("store")
        self.stored.append((step, (folder / "state").read_text()))

    @contextlib.asynccontextmanager
    async def files(self, version: str, digest: str, reporter: Reporter) -> AsyncIterator[Path]:
        await self._stage(version.split("/")[2])
        yield self.folder / version.split("/")[2]

    def installed(self, requirements: bytes, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Installed]:
        raise AssertionError(requirements)

    async def store_output(self, name: str, folder: Path) -> None:
        await self._stage(f"output {name}")
        self.outputs[name] = files_of(folder)

    async def record(self, report: Path, evaluation: Evaluation, reporter: Reporter) -> str:
        await self.store_output("report", report)
        await self._stage("record")
        self.evaluation = evaluation
        return EVALUATION

    async def register(
        self, folder: Path, metrics: Mapping[str, float], installed: Sequence[Distribution], reporter: Reporter
    ) -> str:
        assert folder.is_relative_to(self.workspace.staged)
        assert (folder / "saved_model.pb").is_file()
        assert metrics == {"accuracy": 0.5}
        await self._stage("register")
        return VERSION

    async def record_statistics(self, folder: Path, file: str, reporter: Reporter) -> None:
        assert folder.is_relative_to(self.workspace.staged)
        await self._stage("statistics")
        self.outputs["profile"] = files_of(folder)
        self.statistics = (folder / file).read_text()

    async def register_dataset(self, folder: Path, reporter: Reporter) -> str:
        assert folder.is_relative_to(self.workspace.staged)
        await self._stage("register dataset")
        self.answers = files_of(folder)
        return ANSWERS

    async def report(self, report: Report) -> None:
        self.reports.append(report)

    async def _stage(self, name: str) -> None:
        self.stages.append(name)
        if name in self.closed:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                await asyncio.sleep(self.slow_to_cancel_s)
                raise
        if name in self.errors:
            raise self.errors[name]

    @property
    def lines(self) -> list[str]:
        """What the job has printed and the reporter has not sent."""
        return [line.text for line in self.reporter._take_lines()]

    async def outcome(self) -> Outcome:
        async with asyncio.timeout(20):
            outcome = await self.run.run()
        assert not self.workspace.folder.exists()
        assert not self.workspace.staged.exists()
        assert processes_of(self.workspace) == []
        return outcome

    async def stopped_in(self, stage: str, reason: StopReason, grace_s: float = 10.0) -> Outcome:
        """Run until a stage holds it, then stop it there."""
        self.closed.add(stage)
        running = asyncio.create_task(self.outcome())
        await eventually(lambda: stage in self.stages)
        self.run.stop(reason, grace_s)
        return await running


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def processes_of(workspace: Workspace) -> list[str]:
    """Command lines of processes whose home is in the workspace."""
    mark, found = f"HOME={workspace.folder}/".encode(), []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text())
    return found
