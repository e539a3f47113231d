"""One attempt, from its assignment to its outcome."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

from modelyard.job.messages import (
    Checkpoint,
    Checkpointed,
    ChildMessage,
    Exported,
    Hello,
    JobSpec,
    Metric,
    Prepared,
    Stop,
)
from modelyard.job.messages import Failed as ChildFailed
from modelyard.job.messages import Progress as ChildProgress
from modelyard.job.messages import Stopped as ChildStopped
from modelyard.trainer.checkpoints import CheckpointPublisher, Published
from modelyard.trainer.child import TrainingProcess
from modelyard.trainer.domain import (
    AttemptFailed,
    AttemptStopped,
    Failed,
    FailureClass,
    Outcome,
    Stopped,
    StopReason,
    Succeeded,
    died,
    disk_failed,
)
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.work import Inputs, Outputs, Resume, Work
from modelyard.trainer.workspace import Workspace

log = logging.getLogger(__name__)

LAST_CHECKPOINT_S = 60.0
"""How long the end of training waits for its last checkpoint to be stored."""
MAX_METRICS, MAX_METRIC_NAME = 200, 120


class AttemptRun:
    """Runs one attempt. `run` answers its outcome; `stop` asks it to end early."""

    def __init__(self, work: Work, workspace: Workspace, inputs: Inputs, outputs: Outputs, reporter: Reporter) -> None:
        self.work = work
        self._workspace = workspace
        self._inputs = inputs
        self._outputs = outputs
        self._reporter = reporter
        self._process: TrainingProcess | None = None
        self._task: asyncio.Task[Outcome] | None = None
        self._stopping: StopReason | None = None
        self._exported: Exported | None = None
        self._failed: ChildFailed | None = None
        self._stopped = False
        self._ending = False
        self._metrics_left_out = False

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
        if reason.saves and (self._process is not None or self._exported is not None):
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
            async with self._inputs_ready() as resume:
                await self._train(resume)
            assert self._exported is not None
            exported = self._exported
            folder = self._workspace.inside(exported.path)
            version = await self._outputs.register(folder, exported.metrics, self._reporter)
            return Succeeded(version)
        except AttemptStopped:
            return Stopped()
        except AttemptFailed as error:
            return Failed(error.failure_class, error.message, error.detail)
        except OSError as error:
            return disk_failed(error)
        except Exception:
            log.exception("an attempt failed in a way that nobody thought of", extra={"attempt": self.work.attempt})
            return Failed(FailureClass.INTERNAL, "the worker itself failed; its log has the traceback")

    @contextlib.asynccontextmanager
    async def _inputs_ready(self) -> AsyncIterator[Resume | None]:
        await asyncio.to_thread(self._workspace.create)
        resume = await self._inputs.begin(self._reporter)
        async with self._inputs.dataset(self._reporter) as dataset:
            self._workspace.dataset.symlink_to(dataset, target_is_directory=True)
            if resume is not None:
                await self._inputs.checkpoint(resume, self._workspace.resume, self._reporter)
                self._reporter.start_step = resume.step
                self._reporter.progress.step = self._reporter.progress.checkpoint_step = resume.step
            yield resume

    async def _train(self, resume: Resume | None) -> None:
        """Run the job's process until it has exported its model."""
        self._reporter.progress.stage = "preparing"
        self._reporter.changed(urgent=True)
        process = self._process = await self._started(resume)
        try:
            if self._stopping is not None:
                process.say(Stop())
            async with CheckpointPublisher(
                self._outputs.store_checkpoint, lambda: self.stop(StopReason.STALE, 0), self._reporter.line
            ) as publisher:
                try:
                    async for message in process.messages():
                        self._take(message, process, publisher)
                    status = await process.wait()
                finally:
                    process.kill()  # before anything else has to come to its end
                await publisher.finish(LAST_CHECKPOINT_S)
            self._judge(status, process)
        finally:
            await process.close()
            self._process = None

    async def _started(self, resume: Resume | None) -> TrainingProcess:
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.enter_context(ours)
            undo.enter_context(theirs)
            self._workspace.job_file.write_text(self._spec(resume, theirs.fileno()).to_json())
            undo.pop_all()
        return await TrainingProcess.start(
            self.work.program, self._workspace.job_file, ours, theirs, self._reporter.line
        )

    def _spec(self, resume: Resume | None, fd: int) -> JobSpec:
        return JobSpec(
            job=self.work.job,
            attempt=self.work.number,
            code=str(self.work.code),
            entry=self.work.entry,
            fd=fd,
            parameters=self.work.parameters,
            seed=int(self.work.parameters.get("seed", 0)),
            devices=self.work.device_names,
            cpu_threads=self.work.cpu_threads,
            checkpoint_every_s=self.work.checkpoint_every_s,
            resume="resume" if resume else "",
            resume_step=resume.step if resume else 0,
        )

    def _take(self, message: ChildMessage, process: TrainingProcess, publisher: CheckpointPublisher) -> None:
        progress = self._reporter.progress
        match message:
            case Hello():
                self._reporter.line(
                    f"TensorFlow {message.tensorflow}, Keras {message.keras}: {', '.join(message.devices)}"
                )
            case Prepared():
                progress.total_steps = message.total_steps
                progress.stage = "training"
                self._reporter.running = True
                self._reporter.changed(urgent=True)
            case ChildProgress():
                progress.step, progress.total_steps = message.step, message.total_steps
                progress.epoch, progress.epochs = message.epoch, message.epochs
                progress.examples_per_second = message.examples_per_s
                progress.metrics.update(
                    {name: value for name, value in message.metrics.items() if self._may_report(name)}
                )
                self._reporter.changed()
            case Metric():
                if self._may_report(message.name):
                    self._reporter.point(message.step, message.name, message.value)
                    progress.metrics[message.name] = message.value
                    self._reporter.changed()
            case Checkpoint():
                publisher.add(message.step, self._workspace.inside(message.path), self._published(process))
            case Exported():
                self._exported = message
            case ChildFailed():
                self._failed = message
            case ChildStopped():
                self._stopped = True

    def _may_report(self, metric: str) -> bool:
        """Whether it is one of few enough metrics; every report carries all of them."""
        known = self._reporter.progress.metrics
        if metric in known or (len(known) < MAX_METRICS and len(metric) <= MAX_METRIC_NAME):
            return True
        if not self._metrics_left_out:
            self._metrics_left_out = True
            self._reporter.line(
                f"metric {metric[:MAX_METRIC_NAME]!r} is left out, as all that come: a job may report {MAX_METRICS} "
                f"metrics with names of at most {MAX_METRIC_NAME} characters"
            )
        return False

    def _published(self, process: TrainingProcess) -> Published:
        def published(step: int) -> None:
            process.say(Checkpointed(step))
            self._reporter.progress.checkpoint_step = step
            self._reporter.changed()

        return published

    def _judge(self, status: int, process: TrainingProcess) -> None:
        """Raise what the end of the process means; return if it has exported a model."""
        if self._failed is not None:
            failed = self._failed
            raise AttemptFailed(
                FailureClass(failed.failure_class), failed.message, failed.traceback or process.last_lines
            )
        if self._stopped:
            raise AttemptStopped
        if status != 0 or self._exported is None:
            raise died(status, process.last_lines)
