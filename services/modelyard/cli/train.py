"""`modelyard train`"""

import json
import sys
from typing import Annotated, Any

import typer

from modelyard.api.scheduler.v1 import device_pb2
from modelyard.cli.datasets import names as dataset_names
from modelyard.cli.failures import FAILED
from modelyard.cli.globals import settings
from modelyard.cli.output import console, print_json, to_json
from modelyard.cli.suggest import suggesting
from modelyard.cli.watch import show_outcome, watch_job
from modelyard.sdk.jobs import ENDED, State
from modelyard.sdk.names import short

_KINDS = {
    "cpu": device_pb2.DEVICE_KIND_CPU,
    "gpu": device_pb2.DEVICE_KIND_GPU,
    "tpu": device_pb2.DEVICE_KIND_TPU,
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    context: typer.Context,
    template: Annotated[str, typer.Argument(help="Such as `image-classification`; `modelyard jobs templates`.")],
    dataset: Annotated[str, typer.Option(help="`mnist`, `mnist@3`.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter: epochs=3. May be given again.")] = None,
    model: Annotated[str, typer.Option(help="The model that gets the version; by default {dataset}-{template}.")] = "",
    job: Annotated[str, typer.Option(help="The job's name; by default one is made.")] = "",
    device: Annotated[str, typer.Option(help="cpu, gpu or tpu, with a count: gpu:2.")] = "",
    priority: Annotated[int, typer.Option(help="Higher goes first; from -1000 to 1000.")] = 0,
    watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False,
    validate_only: Annotated[bool, typer.Option(help="Check everything, create nothing.")] = False,
) -> None:
    """Train a template on a dataset version."""
    parameters = dict(_parameter(each) for each in set_ or ())
    as_json = settings(context).json
    with settings(context).client() as client:
        with suggesting("dataset", dataset, lambda: dataset_names(client)):
            created = client.jobs.create(
                template,
                dataset,
                parameters=parameters,
                model=model,
                job_id=job,
                devices=_devices(device),
                priority=priority,
                validate_only=validate_only,
            )
        if validate_only or not watch:
            _show_created(to_json(created), short(created.name), validate_only=validate_only, as_json=as_json)
            return
        ended = watch_job(client, created.name, quiet=as_json)
    if as_json:
        print_json(to_json(ended))
    else:
        show_outcome(ended)
    if ended.state in ENDED and ended.state != State.STATE_SUCCEEDED:
        sys.exit(FAILED)


def _show_created(job: dict[str, Any], name: str, *, validate_only: bool, as_json: bool) -> None:
    if as_json:
        print_json(job)
    elif validate_only:
        console().print("it would be accepted; nothing was created")
    else:
        console().print(f"{name} is queued; follow it: modelyard jobs watch {name}")


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not name=value", param_hint="--set")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _devices(text: str) -> device_pb2.DeviceRequest | None:
    if not text:
        return None
    kind, _, count = text.partition(":")
    if kind not in _KINDS or (count and not count.isdigit()):
        raise typer.BadParameter(f"{text!r} is not cpu, gpu, tpu, or gpu:2", param_hint="--device")
    return device_pb2.DeviceRequest(kind=_KINDS[kind], count=int(count or 1))
