"""`modelyard deploy`, `undeploy` and `modelyard deployments …`"""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from modelyard.api.inference.v1 import deployment_pb2, deployment_service_pb2
from modelyard.cli.failures import FAILED
from modelyard.cli.globals import settings
from modelyard.cli.models import names as model_names
from modelyard.cli.output import (
    age,
    bytes_text,
    console,
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
from modelyard.sdk import Client
from modelyard.sdk.errors import AlreadyExists
from modelyard.sdk.names import short
from modelyard.sdk.predicting.model import DEFAULT, Input, Model, of_version

app = typer.Typer(help="Deployments: list, show.", no_args_is_help=True)
State = deployment_pb2.Deployment.State
_ServedState = deployment_service_pb2.ServedVersion.State


def register(app: typer.Typer) -> None:
    """Add the two verbs."""
    app.command()(deploy)
    app.command()(undeploy)


def deploy(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What clients call it.")],
    model: Annotated[str, typer.Option(help="`digits`, `digits@3`, `digits@champion`.")],
    wait: Annotated[bool, typer.Option(help="Return once it answers predictions.")] = True,
) -> None:
    """Serve a model version; of a name that is in use, switch it without a failed request."""
    as_json = settings(context).json
    with settings(context).client() as client:
        with suggesting("model", model, lambda: model_names(client)):
            try:
                deployment = client.deployments.create(name, model)
            except AlreadyExists:
                deployment = client.deployments.update(name, model)
        if wait:
            deployment = _wait(client, deployment, quiet=as_json)
        version = deployment.model_version
        asked = "" if as_json else question(of_version(client.models.version(version), short(version)))
    if as_json:
        print_json(to_json(deployment))
    elif deployment.state == State.STATE_SERVING:
        console().print(f"{name} serves {short(deployment.serving_version)}; try: modelyard predict {name} {asked}")
    else:
        console().print(f"{name} is {state_text(State.Name(deployment.state))}: {deployment.message}")
    if deployment.state == State.STATE_FAILED:
        sys.exit(FAILED)


def undeploy(context: typer.Context, name: str) -> None:
    """Stop serving; predictions in flight end."""
    with settings(context).client() as client, suggesting("deployment", name, lambda: names(client)):
        client.deployments.delete(name)
    show_done(as_json=settings(context).json, name=name)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The project's deployments."""
    with settings(context).client() as client:
        show_all(
            of_project(client, client.deployments.list()),
            ("NAME", "STATE", "MODEL", "SERVING", "UPDATED"),
            lambda each: (
                short(each.name),
                state_text(State.Name(each.state)),
                short(each.model_version),
                short(each.serving_version) if each.serving_version else "–",
                age(each.update_time),
            ),
            as_json=settings(context).json,
            empty="nothing is deployed; deploy a model: modelyard deploy NAME --model MODEL",
        )


@app.command()
def show(context: typer.Context, name: str) -> None:
    """A deployment and its model servers."""
    with settings(context).client() as client, suggesting("deployment", name, lambda: names(client)):
        deployment = client.deployments.get(name)
        config = client.deployments.serving_config(name)
    if settings(context).json:
        print_json({"deployment": to_json(deployment), "serving_config": to_json(config)})
        return
    show_facts(
        [
            ("name", short(deployment.name)),
            ("state", state_text(State.Name(deployment.state))),
            ("message", deployment.message),
            ("model", short(deployment.model_version)),
            ("serving", short(deployment.serving_version) if deployment.serving_version else ""),
            ("model_spec.name", deployment.serving_name),
        ]
    )
    if config.served_versions:
        show_table(("VERSION", "HOST", "STATE", "BATCHING", "MEMORY", "RESTARTS"), map(_served, config.served_versions))


def names(client: Client) -> list[str]:
    """Short names of all deployments."""
    return [short(each.name) for each in client.deployments.list()]


def question(model: Model) -> str:
    """What `modelyard predict` takes for it: an option for what its inputs stand for, else tensors."""
    if not model.ways:
        return "--image FILE"
    way = model.ways.get("encoded") or model.ways.get(DEFAULT) or next(iter(model.ways.values()))
    chosen = "" if way.name in ("encoded", DEFAULT) else f"--signature {way.name} "
    return chosen + " ".join(_options(list(way.inputs.values())))


_DECODED = {"image": "uint8", "audio": "float32", "video": "uint8"}
"""What `predict` decodes files to."""


def _options(inputs: Sequence[Input]) -> Iterator[str]:
    told = {"image": "--image FILE", "audio": "--audio FILE", "video": "--video FILE", "text": '--text "…"'}
    told |= {"user": "--user ID", "item": "--item ID"}
    row = [each for each in inputs if each.kind in ("number", "category", "time") and each.row_shape == ()]
    fields = [each.name for each in row if not each.is_single]
    for each in inputs:
        if each.kind in told and each.dtype in ("string", _DECODED.get(each.kind)):
            yield told[each.kind]
        elif each.is_single and each.name == "k":
            yield "--k 10"
        elif each not in row or each.is_single:
            yield f"--input {each.name}=JSON"
    if fields:
        yield "--row " + ",".join(f"{name}=…" for name in fields[:3]) + (",…" if len(fields) > 3 else "")


def _wait(client: Client, deployment: deployment_pb2.Deployment, *, quiet: bool) -> deployment_pb2.Deployment:
    """Follow it until it answers or can't."""
    said, name = "", deployment.name
    for deployment in client.deployments.watch(name):
        state = state_text(State.Name(deployment.state))
        line = f"{state}: {deployment.message}" if deployment.message else state
        if not quiet and line != said:
            print(line, file=sys.stderr, flush=True)
        said = line
        if deployment.state in (State.STATE_SERVING, State.STATE_FAILED):
            break
    return deployment


def _served(each: deployment_service_pb2.ServedVersion) -> tuple[str, ...]:
    return (
        short(each.model_version),
        short(each.host),
        state_text(_ServedState.Name(each.state)),
        "yes" if each.batching else "no",
        bytes_text(each.memory_bytes),
        str(each.restart_count),
    )
