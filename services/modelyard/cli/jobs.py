"""`modelyard jobs …`"""

from pathlib import Path
from typing import Annotated

import typer
from google.protobuf import json_format

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.bars import byte_bars
from modelyard.cli.globals import settings
from modelyard.cli.outcome import advice, finish, show_failure_lines
from modelyard.cli.output import (
    age,
    bytes_text,
    console,
    metrics_text,
    plain,
    print_json,
    show_all,
    show_done,
    show_facts,
    show_table,
    state_text,
    to_json,
)
from modelyard.cli.projects import of_project
from modelyard.cli.suggest import suggesting
from modelyard.cli.templates import parameter_text
from modelyard.cli.watch import watch_job
from modelyard.sdk import Client
from modelyard.sdk.errors import FailedPrecondition
from modelyard.sdk.jobs import ENDED, State
from modelyard.sdk.names import short

app = typer.Typer(
    help="Jobs: list, show, watch, logs, metrics, attempts, code, outputs, cancel, delete.", no_args_is_help=True
)


@app.command("list")
def list_(
    context: typer.Context,
    all_: Annotated[
        bool, typer.Option("--all", "-a", help="Also the jobs that profile dataset versions, made by modelyard itself.")
    ] = False,
) -> None:
    """The project's jobs, newest first."""
    with settings(context).client() as client:
        show_all(
            of_project(client, client.jobs.list(profiles=all_)),
            ("NAME", "STATE", "RUNS", "ON", "PROGRESS", "CREATED"),
            lambda each: (
                short(each.name),
                state_text(State.Name(each.state)),
                _runs(each.spec),
                _inputs(each.spec),
                _progress(each),
                age(each.create_time),
            ),
            as_json=settings(context).json,
            empty="there is no job yet; start one: modelyard train image-classification --dataset NAME",
        )


@app.command()
def show(context: typer.Context, name: str) -> None:
    """A job: state, progress, what its code reports, why it failed."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        job = client.jobs.get(name)
        if settings(context).json:
            print_json(to_json(job))
            return
        show_facts(_facts(job, advice(client, job)))
        show_failure_lines(client, job)


def _facts(job: job_pb2.Job, to_try: str) -> list[tuple[str, str]]:
    spec, progress = job.spec, job.progress
    return [
        ("name", short(job.name)),
        ("state", state_text(State.Name(job.state))),
        ("pending", job.pending_message),
        ("template", spec.template),
        ("code", f"{short(spec.package_version)}  {spec.package_digest[:19]}" if spec.package_version else ""),
        ("entry", spec.entry),
        ("dataset", short(spec.dataset_version) if spec.dataset_version else ""),
        ("asks" if spec.output_dataset else "judges", short(spec.model_version) if spec.model_version else ""),
        ("source", short(spec.source_version) if spec.source_version else ""),
        ("parameters", _parameters(spec)),
        ("attempt", str(job.attempt or "")),
        ("progress", _progress(job)),
        ("metrics", metrics_text(progress.metrics.items())),
        *[(name, plain(text)) for name, text in sorted(progress.texts.items())],
        ("images", ", ".join(plain(f"{name} ({path})") for name, path in sorted(progress.images.items()))),
        ("checkpoint", f"step {progress.checkpoint_step}" if progress.checkpoint_step else ""),
        ("model", short(job.model_version) if job.model_version else ""),
        ("answers", short(job.output_dataset_version or spec.output_dataset) if spec.output_dataset else ""),
        ("why", job.error.message if job.HasField("error") else ""),
        ("try", to_try),
        ("created", f"{age(job.create_time)} by {job.creator}"),
    ]


@app.command()
def watch(context: typer.Context, name: str) -> None:
    """Follow a job to its end."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        finish(client, watch_job(client, name, quiet=settings(context).json), as_json=settings(context).json)


@app.command()
def logs(
    context: typer.Context,
    name: str,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the job has ended.")] = False,
) -> None:
    """What a job printed."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        for entry in client.jobs.logs(name, follow=follow):
            if settings(context).json:
                print(json_format.MessageToJson(entry, indent=None, preserving_proto_field_name=True), flush=True)
            else:
                print(plain(entry.text), flush=True)


@app.command()
def metrics(
    context: typer.Context,
    name: str,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the job has ended.")] = False,
) -> None:
    """A job's metrics by step."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        for point in client.jobs.metrics(name, follow=follow):
            if settings(context).json:
                print(json_format.MessageToJson(point, indent=None, preserving_proto_field_name=True), flush=True)
            else:
                print(f"{point.step:>8}  {point.metric:<20} {point.value:.6g}", flush=True)


@app.command()
def attempts(context: typer.Context, name: str) -> None:
    """A job's attempts, newest first."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        show_all(
            client.jobs.attempts(name),
            ("ATTEMPT", "STATE", "WORKER", "FROM STEP", "CREATED", "WHY"),
            lambda each: (
                short(each.name),
                state_text(job_pb2.Attempt.State.Name(each.state)),
                short(each.worker),
                str(each.start_step),
                age(each.create_time),
                each.message,
            ),
            as_json=settings(context).json,
            empty="it has not been started yet",
        )


@app.command()
def code(
    context: typer.Context,
    name: str,
    folder: Annotated[Path | None, typer.Argument(help="A new folder; by default {package}-{version}.")] = None,
) -> None:
    """Give back the code that a job ran, verified."""
    as_json = settings(context).json
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        spec = client.jobs.get(name).spec
        if not spec.package_version:
            raise FailedPrecondition(
                f"{name} ran {spec.template}, which comes with modelyard; it has no code of its own",
                reason="JOB_WITHOUT_PACKAGE",
            )
        target = folder or Path(short(spec.package_version).replace("@", "-"))
        with byte_bars(quiet=as_json) as progress:
            client.packages.pull(spec.package_version, target, progress=progress)
    if as_json:
        print_json({"package_version": spec.package_version, "entry": spec.entry, "folder": str(target)})
    else:
        console().print(f"{short(spec.package_version)} is in {target}; it begins at {spec.entry}")


@app.command()
def outputs(
    context: typer.Context,
    name: str,
    folder: Annotated[Path | None, typer.Argument(help="Fetch them into this folder.")] = None,
) -> None:
    """What a job left beside its model; with a folder, fetch it."""
    as_json = settings(context).json
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        client.jobs.get(name)
        found = list(client.lineage.outputs(name))
        for each in found if folder else []:
            with byte_bars(quiet=as_json) as progress:
                client.lineage.pull_output(each.name, folder / short(each.name), progress=progress)  # type: ignore[operator]
    if as_json:
        print_json([to_json(each) for each in found])
    elif not found:
        console().print("it has left nothing beside its model")
    else:
        show_table(
            ("NAME", "FILES", "SIZE", "ATTEMPT", "STORED"),
            [
                (
                    short(each.name),
                    f"{each.file_count:,}",
                    bytes_text(each.size_bytes),
                    str(each.attempt),
                    age(each.create_time),
                )
                for each in found
            ],
        )
        for line in _hints(name, [short(each.name) for each in found], folder):
            console().print(line)


def _hints(job: str, found: list[str], folder: Path | None) -> list[str]:
    """What to do with them next."""
    if folder is None:
        return [f"fetch them: modelyard jobs outputs {short(job)} FOLDER"]
    hints = {
        "run": f"curves: tensorboard --logdir {folder}/run/tensorboard",
        "report": f"the report: {folder}/report/report.html",
        "profile": f"what is in the data: {folder}/profile/page.html",
        "rejected": f"why it was rejected: {folder}/rejected/gates.json",
    }
    return [hints[name] for name in found if name in hints]


@app.command()
def cancel(context: typer.Context, name: str) -> None:
    """Call a job off."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        job = client.jobs.cancel(name)
    if settings(context).json:
        print_json(to_json(job))
    else:
        console().print(f"{short(job.name)} is {state_text(State.Name(job.state))}")


@app.command()
def delete(context: typer.Context, name: str) -> None:
    """Delete a job that has ended, with its checkpoints and outputs; the model that it made stays."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        client.jobs.delete(name)
    show_done(as_json=settings(context).json, name=name)


@app.command()
def templates(context: typer.Context) -> None:
    """What comes with modelyard, and what can be set."""
    with settings(context).client() as client:
        found = list(client.jobs.templates())
    if settings(context).json:
        print_json([to_json(each) for each in found])
        return
    for template in found:
        show_facts([(short(template.name), template.description)])
        show_facts([(f"  {each.name}", parameter_text(each)) for each in template.parameters])


def names(client: Client) -> list[str]:
    """Short names of all jobs."""
    return [short(each.name) for each in client.jobs.list()]


def _runs(spec: job_pb2.JobSpec) -> str:
    """The code: a package of one's own, or a template."""
    return short(spec.package_version) if spec.package_version else spec.template


def _inputs(spec: job_pb2.JobSpec) -> str:
    inputs = (spec.source_version, spec.model_version, spec.dataset_version)
    return " ".join(short(each) for each in inputs if each)


def _parameters(spec: job_pb2.JobSpec) -> str:
    values = json_format.MessageToDict(spec.parameters)
    return "  ".join(
        f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in sorted(values.items())
    )


def _progress(job: job_pb2.Job) -> str:
    progress = job.progress
    if not progress.total_steps:
        return "" if job.state in ENDED else progress.stage
    percent = 100 * progress.step // progress.total_steps
    return f"{percent} % (step {progress.step} of {progress.total_steps})"
