"""`modelyard jobs …`"""

import sys
from typing import Annotated

import typer
from google.protobuf import json_format

from modelyard.api.scheduler.v1 import job_pb2, template_pb2
from modelyard.cli.failures import FAILED
from modelyard.cli.globals import settings
from modelyard.cli.output import age, metrics_text, print_json, show_all, show_facts, state_text, to_json
from modelyard.cli.suggest import suggesting
from modelyard.cli.watch import show_outcome, watch_job
from modelyard.sdk import Client
from modelyard.sdk.jobs import State
from modelyard.sdk.names import short

app = typer.Typer(
    help="Training jobs: list, show, watch, logs, metrics, attempts, cancel, delete.", no_args_is_help=True
)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The project's jobs, newest first."""
    with settings(context).client() as client:
        show_all(
            client.jobs.list(),
            ("NAME", "STATE", "DATASET", "TEMPLATE", "PROGRESS", "CREATED"),
            lambda each: (
                short(each.name),
                state_text(State.Name(each.state)),
                short(each.spec.dataset_version),
                each.spec.template,
                _progress(each),
                age(each.create_time),
            ),
            as_json=settings(context).json,
            empty="there is no job yet; start one: modelyard train image-classification --dataset NAME",
        )


@app.command()
def show(context: typer.Context, name: str) -> None:
    """A job: state, progress, metrics, why it failed."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        job = client.jobs.get(name)
    if settings(context).json:
        print_json(to_json(job))
        return
    parameters = json_format.MessageToDict(job.spec.parameters)
    show_facts(
        [
            ("name", short(job.name)),
            ("state", state_text(State.Name(job.state))),
            ("pending", job.pending_message),
            ("template", job.spec.template),
            ("dataset", short(job.spec.dataset_version)),
            (
                "parameters",
                "  ".join(
                    f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}"
                    for key, value in sorted(parameters.items())
                ),
            ),
            ("attempt", str(job.attempt or "")),
            ("progress", _progress(job)),
            ("metrics", metrics_text(job.progress.metrics.items())),
            ("checkpoint", f"step {job.progress.checkpoint_step}" if job.progress.checkpoint_step else ""),
            ("model", short(job.model_version) if job.model_version else ""),
            ("why", job.error.message if job.HasField("error") else ""),
            ("created", f"{age(job.create_time)} by {job.creator}"),
        ]
    )


@app.command()
def watch(context: typer.Context, name: str) -> None:
    """Follow a job to its end."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        job = watch_job(client, name, quiet=settings(context).json)
    if settings(context).json:
        print_json(to_json(job))
    else:
        show_outcome(job)
    if job.state != State.STATE_SUCCEEDED:
        sys.exit(FAILED)


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
                print(entry.text, flush=True)


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
def cancel(context: typer.Context, name: str) -> None:
    """Call a job off."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        job = client.jobs.cancel(name)
    if settings(context).json:
        print_json(to_json(job))


@app.command()
def delete(context: typer.Context, name: str) -> None:
    """Delete a job that has ended."""
    with settings(context).client() as client, suggesting("job", name, lambda: names(client)):
        client.jobs.delete(name)


@app.command()
def templates(context: typer.Context) -> None:
    """The training packages that come with modelyard, and what can be set."""
    with settings(context).client() as client:
        found = list(client.jobs.templates())
    if settings(context).json:
        print_json([to_json(each) for each in found])
        return
    for template in found:
        show_facts([(short(template.name), template.description)])
        show_facts([(f"  {each.name}", _parameter(each)) for each in template.parameters])


def names(client: Client) -> list[str]:
    """Short names of all jobs."""
    return [short(each.name) for each in client.jobs.list()]


def _progress(job: job_pb2.Job) -> str:
    progress = job.progress
    if not progress.total_steps:
        return progress.stage
    percent = 100 * progress.step // progress.total_steps
    return f"{percent} % (step {progress.step} of {progress.total_steps})"


def _parameter(parameter: template_pb2.Parameter) -> str:
    default = json_format.MessageToJson(parameter.default_value)
    limits = ""
    if parameter.HasField("minimum") and parameter.HasField("maximum"):
        limits = f", {parameter.minimum:g} to {parameter.maximum:g}"
    if parameter.choices:
        limits = f", one of {', '.join(parameter.choices)}"
    kind = template_pb2.Parameter.Type.Name(parameter.type).removeprefix("TYPE_").lower()
    return f"{parameter.description} ({kind}, default {default}{limits})"
