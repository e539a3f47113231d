"""Follows a job: a bar on a terminal, a line for each change elsewhere."""

import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.output import bytes_text, metrics_text, show_facts, state_text
from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from modelyard.sdk.names import short

_SHOWN_METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def watch_job(client: Client, name: str, *, quiet: bool = False) -> job_pb2.Job:
    """Follow it to its end; answers the job as it ended."""
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
    with Progress(*columns, console=Console()) as bars:
        task = bars.add_task("queued", total=None, details="")
        for job in client.jobs.watch(name):
            _update(bars, task, job)
    return job


def _update(bars: Progress, task: TaskID, job: job_pb2.Job) -> None:
    progress = job.progress
    if job.state == State.STATE_RUNNING and progress.stage == "training":
        details = f"{progress.examples_per_second:,.0f}/s  {_metrics(job)}"
        description = f"epoch {progress.epoch}/{progress.epochs}"
        bars.update(task, description=description, completed=progress.step, total=progress.total_steps, details=details)
    elif progress.total_bytes and progress.done_bytes < progress.total_bytes:
        details = f"{bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"
        bars.update(
            task, description=_stage(job), completed=progress.done_bytes, total=progress.total_bytes, details=details
        )
    else:
        bars.update(task, description=_stage(job), details=job.pending_message)


def _follow_in_lines(client: Client, job: job_pb2.Job) -> job_pb2.Job:
    say, name = _once(print), job.name
    for job in client.jobs.watch(name):
        progress = job.progress
        if job.state == State.STATE_RUNNING and progress.stage == "training" and progress.epochs:
            line = f"{short(job.name)} epoch {progress.epoch}/{progress.epochs}"
            say(line, f"{line}  {_metrics(job)}".rstrip())
        else:
            line = f"{short(job.name)} {_stage(job)}"
            say(line, f"{line}: {job.pending_message}" if job.pending_message else line)
    return job


def _once(show: Callable[[str], None]) -> Callable[[str, str], None]:
    last = ""

    def say(key: str, line: str) -> None:
        nonlocal last
        if key != last:
            show(line)
            sys.stdout.flush()
        last = key

    return say


def _stage(job: job_pb2.Job) -> str:
    if job.state in (State.STATE_RUNNING, State.STATE_PREPARING) and job.progress.stage:
        return job.progress.stage
    return state_text(State.Name(job.state))


def _metrics(job: job_pb2.Job) -> str:
    metrics = job.progress.metrics
    return "  ".join(f"{name} {metrics[name]:.4f}" for name in _SHOWN_METRICS if name in metrics)


def show_outcome(job: job_pb2.Job) -> None:
    """What a job came to, with what to do next."""
    facts = [
        ("job", short(job.name)),
        ("state", state_text(State.Name(job.state))),
        ("model", short(job.model_version) if job.model_version else ""),
        ("metrics", metrics_text(job.progress.metrics.items())),
        ("why", job.error.message if job.HasField("error") else ""),
    ]
    if job.state == State.STATE_SUCCEEDED:
        facts.append(("next", f"modelyard deploy NAME --model {short(job.model_version)}"))
    if job.state == State.STATE_FAILED:
        facts.append(("next", f"modelyard jobs logs {short(job.name)}"))
    show_facts(facts)
