"""One attempt, from its assignment to its outcome."""

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

from modelyard.foundation.sandbox.policy import End, Limits, SandboxUnavailable
from modelyard.job.messages import Checkpointed, JobSpec, Stop
from modelyard.trainer.checkpoints import CheckpointPublisher, Published
from modelyard.trainer.child import TrainingProcess
from modelyard.trainer.collected import Collector
from modelyard.trainer.confinement import confinement
from modelyard.trainer.domain import (
    AttemptFailed,
    AttemptStopped,
    Failed,
    FailureClass,
    Outcome,
    Stopped,
    StopReason,
    disk_failed,
)
from modelyard.trainer.ends import died, keeps_outputs, recognised
from modelyard.trainer.heard import Heard
from modelyard.trainer.prepared import Ready, prepared
from modelyard.trainer.publication import publish
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.run_output import RunOutput
from modelyard.trainer.work import Inputs, Outputs, Work
from modelyard.trainer.workspace import Workspace

log = logging.getLogger(__name__)

LAST_CHECKPOINT_S = 60.0
"""How long the end of training waits for its last checkpoint to be stored."""
SILENT_S = 10.0
"""How long a process may go on that can't be heard any more."""
LAST_OUTPUT_S = 20.0
"""How long the end of an attempt waits for its output `run` to be stored."""


class AttemptRun:
    """Runs one attempt. `run` answers its outcome; `stop` asks it to end early."""

    def __init__(self, work: Work, workspace: Workspace, inputs: Inputs, outputs: Outputs, reporter: Reporter) -> None:
        self.work = work
        self._workspace = workspace
        self._inputs = inputs
        self._outputs = outputs
        self._reporter = reporter
        self._collector = Collector(workspace, _of_files(work.limits))
        self._run_output = RunOutput(self._collector, outputs, reporter.line)
        self._process: TrainingProcess | None = None
        self._publisher: CheckpointPublisher | None = None
        self._heard = Heard(reporter, self._checkpoint, work.kind)
        self._task: asyncio.Task[Outcome] | None = None
        self._stopping: StopReason | None = None
        self._ending = False

    @property
    def running(self) -> bool:
        """Whether its first training step has begun."""
        return self._reporter.running

    @property
    def stop_reason(self) -> StopReason | None:
        """Why it was told to stop, if it was."""
        return self._stopping

    async def run(self) -> Outcome:
        """Never raises but when cancelled; whatever happens, no process and no folder is left."""
        if self._stopping is not None:
            return Stopped()
        task = self._task = asyncio.create_task(self._run(), name=f"attempt {self.work.attempt}")
        try:
            await asyncio.wait((task,))
            reason = self.stop_reason
            if reason is None or keeps_outputs(reason):
                await self._run_output.finish(LAST_OUTPUT_S)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
            await asyncio.to_thread(self._workspace.remove)
        return Stopped() if task.cancelled() else task.result()

    def stop(self, reason: StopReason, grace_s: float) -> None:
        """End early. One that saves gets `grace_s` to checkpoint, or to finish what it has trained; the others end at
        once, unless their model is becoming a version in this very moment."""
        if self._stopping is not None and not reason.outranks(self._stopping):
            return
        self._stopping = reason
        done = self._heard.made is not None
        # What runs beside others is short, and begins anew.
        saves = reason.saves and not self.work.kind.beside
        if saves and (self._process is not None or done):
            if self._process is not None:
                self._process.say(Stop())
            asyncio.get_running_loop().call_later(grace_s, self._end)
        else:
            self._end()

    def _end(self) -> None:
        """Cancelled once only: a second time would break off what the first one has to tidy up."""
        if self._task is not None and not self._ending:
            self._ending = True
            self._task.cancel()

    async def _run(self) -> Outcome:
        try:
            if self.work.problem:
                raise AttemptFailed(FailureClass.INTERNAL, self.work.problem)
            async with prepared(self.work, self._workspace, self._inputs, self._reporter) as ready:
                self._run_output.begin(ready.distributions)
                await self._train(ready)
            assert self._heard.made is not None
            return await publish(self._heard.made, self._collector, self._outputs, ready.distributions, self._reporter)
        except AttemptStopped:
            return Stopped()
        except AttemptFailed as error:
            return Failed(error.failure_class, error.message, error.detail)
        except SandboxUnavailable as error:
            return Failed(FailureClass.SANDBOX_UNAVAILABLE, error.message)
        except OSError as error:
            return disk_failed(error)
        except Exception:
            log.exception("an attempt failed in a way that nobody thought of", extra={"attempt": self.work.attempt})
            return Failed(FailureClass.INTERNAL, "the worker itself failed; its log has the traceback")

    async def _train(self, ready: Ready) -> None:
        """Run the job's process until it has done its work."""
        self._reporter.progress.stage = "preparing"
        self._reporter.changed(urgent=True)
        process = self._process = await self._started(ready)
        try:
            if self._stopping is not None:
                process.say(Stop())
            async with CheckpointPublisher(
                self._store_checkpoint, lambda: self.stop(StopReason.STALE, 0), self._reporter.line
            ) as publisher:
                self._publisher = publisher
                try:
                    async for message in process.messages():
                        self._heard.take(message)
                    end = await self._ended(process)
                finally:
                    process.kill()  # before anything else has to come to its end
                await publisher.finish(LAST_CHECKPOINT_S)
            if self._heard.stopped and self._heard.failed is None:
                raise AttemptStopped
            if not end.exit.ok or self._heard.failed is not None or self._heard.made is None:
                raise died(end, process.last_lines, foreign=self.work.foreign, told=self._heard.failed)
        finally:
            await process.close()
            self._process = self._publisher = None

    async def _ended(self, process: TrainingProcess) -> End:
        """How the process ended that has said its last word."""
        try:
            async with asyncio.timeout(SILENT_S):
                return await process.wait()
        except TimeoutError:
            problem = f"the code closed its line to the worker and did not end within {SILENT_S:.0f} s"
            if self._heard.failed is not None:
                raise recognised(self._heard.failed) from None
            raise AttemptFailed(FailureClass.USER_CODE, problem, process.last_lines) from None

    async def _started(self, ready: Ready) -> TrainingProcess:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.enter_context(ours)
            undo.enter_context(theirs)
            self._workspace.job_file.write_text(self._spec(ready, theirs.fileno()).to_json())
            sandbox = confinement(self.work, self._workspace, ready.tier, ready.trees)
            undo.pop_all()
        return await TrainingProcess.start(
            sandbox, self.work.program, self._workspace.job_file, ours, theirs, self._reporter.line
        )

    def _spec(self, ready: Ready, fd: int) -> JobSpec:
        resume = ready.resume
        seed = ready.parameters.get("seed", 0)
        return JobSpec(
            job=self.work.job,
            attempt=self.work.number,
            kind=self.work.kind.value,
            code=str(ready.code),
            entry=ready.entry,
            fd=fd,
            parameters=ready.parameters,
            seed=seed if isinstance(seed, int) else 0,
            devices=self.work.device_names,
            cpu_threads=self.work.cpu_threads,
            checkpoint_every_s=self.work.checkpoint_every_s,
            dataset="inputs/dataset" if self.work.dataset_version else "",
            model_version=self.work.model_version,
            dataset_version=self.work.dataset_version,
            earlier_versions=ready.earlier_versions,
            resume="resume" if resume else "",
            resume_step=resume.step if resume else 0,
            site_packages=tuple(str(folder) for folder in ready.site_packages),
        )

    def _checkpoint(self, step: int, path: str) -> None:
        assert self._process is not None
        assert self._publisher is not None
        self._publisher.add(step, self._workspace.inside(path), self._published(self._process))

    async def _store_checkpoint(self, step: int, folder: Path) -> None:
        await self._run_output.store()
        copy = await self._collector.take(str(folder), "checkpoint")
        try:
            await self._outputs.store_checkpoint(step, copy)
        finally:
            await self._collector.drop("checkpoint")

    def _published(self, process: TrainingProcess) -> Published:
        def published(step: int) -> None:
            process.say(Checkpointed(step))
            self._reporter.progress.checkpoint_step = step
            self._reporter.changed()

        return published


def _of_files(limits: Limits) -> Limits:
    """Those of what may be copied."""
    return Limits(file_bytes=limits.file_bytes, disk_bytes=limits.disk_bytes, disk_files=limits.disk_files)
