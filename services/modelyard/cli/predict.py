"""`modelyard predict`"""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.api.catalog.v1 import model_pb2
from modelyard.cli.batch import predict_dataset
from modelyard.cli.deployments import names, question
from modelyard.cli.globals import settings
from modelyard.cli.inputs import read_inputs, typed
from modelyard.cli.output import print_json
from modelyard.cli.parameters import parameter
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.errors import InvalidArgument, ModelyardError
from modelyard.sdk.names import short
from modelyard.sdk.tensors import rows


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)


def predict(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The deployment; for a dataset also `digits@3`.")],
    image: Annotated[list[Path] | None, typer.Option(help="A PNG, JPEG, GIF or BMP file. May be given again.")] = None,
    input_: Annotated[
        list[str] | None, typer.Option("--input", help="An input as JSON, x=[[1, 2]], or from a file, x=@rows.json.")
    ] = None,
    signature: Annotated[str, typer.Option(help="By default `encoded` for images, else `serving_default`.")] = "",
    dataset: Annotated[str, typer.Option(help="Ask about all of it, as a job: `mnist`, `mnist@3`.")] = "",
    output: Annotated[str, typer.Option(help="With --dataset: the dataset that the answers become.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Of that job: split=test, batch_size=64.")] = None,
    job: Annotated[str, typer.Option(help="That job's name; by default one is made.")] = "",
    watch: Annotated[bool, typer.Option(help="Follow that job to its end.")] = False,
) -> None:
    """Ask a deployment; one line for each image or row. With --dataset: a deployment or `model@3`, about a dataset."""
    if dataset or output:
        if image or input_:
            raise typer.BadParameter("it takes its inputs from the dataset", param_hint="--dataset")
        parameters = dict(parameter(each) for each in set_ or ()) | ({"signature": signature} if signature else {})
        predict_dataset(context, name, dataset, output, parameters=parameters, job=job, watch=watch)
        return
    if set_ or job or watch:
        raise typer.BadParameter("they are of the job that --dataset starts", param_hint="--set, --job, --watch")
    if bool(image) == bool(input_):
        raise typer.BadParameter("one of --image and --input is needed", param_hint="--image")
    contents = {"image_bytes": [_read(path) for path in image or ()]} if image else read_inputs(input_ or ())
    images_assumed = bool(image) and not signature
    signature = signature or ("encoded" if image else "serving_default")
    with settings(context).client() as client, suggesting("deployment", name, lambda: names(client)):
        if not image:
            contents = typed(contents, _signature(client, name, signature))
        started = time.perf_counter()
        try:
            response = client.deployments.predict(name, contents, signature=signature)
        except ModelyardError as error:
            if images_assumed and error.reason == "SIGNATURE_NOT_FOUND":
                _say_what_it_takes(client, name)
            raise
        seconds = time.perf_counter() - started
    outputs = {key: rows(tensor) for key, tensor in response.outputs.items()}
    if settings(context).json:
        print_json(
            {"predictions": _readable(outputs), "version": response.model_spec.version.value, "seconds": seconds}
        )
        return
    count = _rows_of(outputs)
    if not count:
        print(json.dumps(_readable(outputs)))
    for index in range(count):
        prefix = f"{image[index].name}: " if image and len(image) > 1 else ""
        print(prefix + _line({key: values[index] for key, values in outputs.items()}))
    print(f"version {response.model_spec.version.value}, {seconds * 1000:.0f} ms", file=sys.stderr)


def _say_what_it_takes(client: Client, name: str) -> None:
    """Raises InvalidArgument for a model that takes no image files, with what it takes; nothing for who may not ask."""
    try:
        deployment = client.deployments.get(name)
        asked = question(client, deployment.serving_version or deployment.model_version)
    except ModelyardError:
        return
    raise InvalidArgument(f"{name} takes no image files; ask it with {asked}", reason="SIGNATURE_NOT_FOUND")


def _signature(client: Client, name: str, signature: str) -> model_pb2.Signature:
    """What the served version can be asked by that name."""
    deployment = client.deployments.get(name)
    version = client.models.version(deployment.serving_version or deployment.model_version)
    found = next((each for each in version.info.signatures if each.name == signature), None)
    if found is None:
        there = ", ".join(each.name for each in version.info.signatures) or "none that is known"
        raise InvalidArgument(
            f"{short(version.name)} has no signature {signature!r}; it has {there}", reason="SIGNATURE_UNKNOWN"
        )
    return found


def _rows_of(outputs: dict[str, Any]) -> int:
    """How many rows all outputs have."""
    counts = {len(values) if isinstance(values, list) else 0 for values in outputs.values()}
    return counts.pop() if len(counts) == 1 else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{path} can't be read: {error.strerror}", reason="FILE_UNREADABLE") from error


def _line(outputs: dict[str, Any]) -> str:
    """`7 (0.998)` for a classifier; anything else as JSON."""
    if set(outputs) == {"label", "probabilities"}:
        return f"{outputs['label'].decode()} ({max(outputs['probabilities']):.3f})"
    return json.dumps(_readable(outputs))


def _readable(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    return value
