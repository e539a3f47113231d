"""Follows a job: a bar on a terminal, a line for each change elsewhere; what its code reports is printed at once."""

import sys

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import bytes_text, console, duration_text, plain, state_text
from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from modelyard.sdk.names import short

_SHOWN_FIRST = ("loss", "accuracy", "val_loss", "val_accuracy")
_MOST_METRICS = 6
_LINES = 10
"""Of progress, elsewhere than on a terminal, where epochs do not make as many."""


def watch_job(client: Client, name: str, *, quiet: bool = False) -> job_pb2.Job:
    """Follow it to its end; answers the job as it ended. Ctrl-C ends the following, and says that the job goes on."""
    try:
        return _watched(client, name, quiet=quiet)
    except KeyboardInterrupt:
        job = short(name)
        goes_on = f"{job} goes on: modelyard jobs watch {job}; to call it off: modelyard jobs cancel {job}"
        print(f"interrupted; {goes_on}", file=sys.stderr)
        sys.exit(130)


def _watched(client: Client, name: str, *, quiet: bool) -> job_pb2.Job:
    job = client.jobs.get(name)
    if quiet:
        *_, job = client.jobs.watch(name)
        return job
    if not sys.stdout.isatty():
        return _follow_in_lines(client, job)
    columns = (
        TextColumn("{task.description:<10}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[details]}", markup=False),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console()) as bars:
        task = bars.add_task("queued", total=None, details="")
        reports = Reports(job)
        for job in client.jobs.watch(name):
            for line in reports.new(job):
                bars.console.print(line, soft_wrap=True)
            _update(bars, task, job)
    return job


class Reports:
    """The texts and images that a job's code reports, each of them once."""

    def __init__(self, job: job_pb2.Job) -> None:
        self._job = short(job.name)
        self._texts: dict[str, str] = {}
        self._images: set[str] = set()

    def new(self, job: job_pb2.Job) -> list[str]:
        """What has come since the last time."""
        lines = []
        for name, text in sorted(job.progress.texts.items()):
            if self._texts.get(name) != text:
                self._texts[name] = text
                lines.append(plain(f"{name}: {text}"))
        for name in sorted(set(job.progress.images) - self._images):
            self._images.add(name)
            lines.append(f"image {plain(name)}; to look at it: modelyard jobs outputs {self._job} FOLDER")
        return lines


def _update(bars: Progress, task: TaskID, job: job_pb2.Job) -> None:
    progress = job.progress
    if _works(job):
        speed = f"{progress.examples_per_second:,.0f}/s  " if progress.examples_per_second else ""
        description = f"epoch {progress.epoch}/{progress.epochs}" if progress.epochs else f"step {progress.step:,}"
        if _asks(job):
            description = _stage(job)
        total = progress.total_steps or None
        bars.update(task, description=description, completed=progress.step, total=total, details=speed + metrics(job))
    elif progress.total_bytes and progress.done_bytes < progress.total_bytes:
        details = f"{bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"
        bars.update(
            task, description=_stage(job), completed=progress.done_bytes, total=progress.total_bytes, details=details
        )
    elif job.state == State.STATE_SUCCEEDED:
        bars.update(task, description=_stage(job), completed=1, total=1, details="")
    else:
        bars.update(task, description=_stage(job), details=job.pending_message)


def _follow_in_lines(client: Client, job: job_pb2.Job) -> job_pb2.Job:
    name, reports, lines = job.name, Reports(job), Lines()
    for job in client.jobs.watch(name):
        for line in [*reports.new(job), *lines.new(job)]:
            print(f"{short(job.name)} {line}", flush=True)
    return job


class Lines:
    """Where a job is, as lines: each stage, each epoch as it has ended, and some steps between where epochs are few."""

    def __init__(self) -> None:
        self._before = job_pb2.Job()
        self._said = ""

    def new(self, job: job_pb2.Job) -> list[str]:
        """What is worth a line since the last time."""
        before, self._before = self._before, job
        found = []
        if _in_epochs(before) and _is_beyond(job, before.progress.epoch):
            found.append(_epoch(before))
        if _in_epochs(job):
            found += _within_epochs(job)
        elif _works(job) and job.progress.step:
            key, where = _asked(job) if _asks(job) else _milestone(job.progress)
            found.append((key, f"{where}  {metrics(job)}".rstrip()))
        else:
            stage = _stage(job)
            found.append((stage, f"{stage}: {job.pending_message}" if job.pending_message else stage))
        return [line for key, line in found if self._is_new(key)]

    def _is_new(self, key: str) -> bool:
        last, self._said = self._said, key
        return key != last


def _in_epochs(job: job_pb2.Job) -> bool:
    return bool(_works(job) and job.progress.step and job.progress.epochs and not _asks(job))


def _is_beyond(job: job_pb2.Job, epoch: int) -> bool:
    """Whether that epoch has ended, and not the attempt within it."""
    if _works(job):
        return job.progress.epoch > epoch
    return job.state in (State.STATE_RUNNING, State.STATE_SUCCEEDED)


def _epoch(job: job_pb2.Job) -> tuple[str, str]:
    where = f"epoch {job.progress.epoch}/{job.progress.epochs}"
    return where, f"{where}  {metrics(job)}".rstrip()


def _within_epochs(job: job_pb2.Job) -> list[tuple[str, str]]:
    """The epoch where it has just ended, else its step where that is worth a line."""
    progress = job.progress
    if progress.total_steps and progress.step * progress.epochs == progress.epoch * progress.total_steps:
        return [_epoch(job)]
    if not progress.total_steps or progress.epochs >= _LINES:
        return []
    key, step = _milestone(progress)
    return [(key, f"epoch {progress.epoch}/{progress.epochs}  {step}  {metrics(job)}".rstrip())]


def _stage(job: job_pb2.Job) -> str:
    if job.progress.stage == "training" and _works(job) and _asks(job):
        return "judging"
    if job.state in (State.STATE_RUNNING, State.STATE_PREPARING) and job.progress.stage:
        return job.progress.stage
    return state_text(State.Name(job.state))


def _works(job: job_pb2.Job) -> bool:
    """Whether it is at what it is for."""
    return job.state == State.STATE_RUNNING and job.progress.stage in ("training", "predicting", "profiling")


def _asks(job: job_pb2.Job) -> bool:
    """An evaluation, a prediction or a profile: its steps are examples, and it has no epochs."""
    return bool(job.spec.model_version) or job.progress.stage == "profiling"


def _asked(job: job_pb2.Job) -> tuple[str, str]:
    """As `_milestone`, of these."""
    progress = job.progress
    done = "predicted" if job.spec.output_dataset else "judged" if job.spec.model_version else "profiled"
    where = f"{done} {progress.step:,} of {progress.total_steps:,} examples"
    if job.spec.output_dataset and progress.examples_per_second:
        left = max(0, progress.total_steps - progress.step) / progress.examples_per_second
        where += f"  {progress.examples_per_second:,.0f}/s, {duration_text(left)} left"
    return f"{_LINES * progress.step // max(progress.total_steps, 1)}", where


def _milestone(progress: job_pb2.Progress) -> tuple[str, str]:
    """Where it is, with a key that changes when that is worth a line."""
    if progress.total_steps:
        where = f"step {progress.step:,} of {progress.total_steps:,}"
        return f"{_LINES * progress.step // progress.total_steps}", where
    return f"{progress.step.bit_length()}", f"step {progress.step:,}"


def metrics(job: job_pb2.Job) -> str:
    """The newest values: those that everybody knows, then the code's own."""
    values = job.progress.metrics
    names = [name for name in _SHOWN_FIRST if name in values]
    names += sorted(name for name in values if name not in _SHOWN_FIRST)
    return "  ".join(f"{name} {_number(values[name])}" for name in names[:_MOST_METRICS])


def _number(value: float) -> str:
    """As wide at every step as it can be, so that a line does not jump."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"
