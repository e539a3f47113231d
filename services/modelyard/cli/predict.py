"""`modelyard predict`"""

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from modelyard.cli.deployments import names
from modelyard.cli.globals import settings
from modelyard.cli.output import print_json
from modelyard.cli.suggest import suggesting
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.tensors import rows


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(predict)


def predict(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The deployment.")],
    image: Annotated[list[Path], typer.Option(help="A PNG, JPEG, GIF or BMP file. May be given again.")],
    signature: Annotated[str, typer.Option(help="The model's signature for encoded images.")] = "encoded",
) -> None:
    """Ask a deployment; one line for each image."""
    contents = [_read(path) for path in image]
    with settings(context).client() as client, suggesting("deployment", name, lambda: names(client)):
        started = time.perf_counter()
        response = client.deployments.predict(name, {"image_bytes": contents}, signature=signature)
        seconds = time.perf_counter() - started
    outputs = {key: rows(tensor) for key, tensor in response.outputs.items()}
    if settings(context).json:
        print_json(
            {"predictions": _readable(outputs), "version": response.model_spec.version.value, "seconds": seconds}
        )
        return
    for index, path in enumerate(image):
        prefix = f"{path.name}: " if len(image) > 1 else ""
        print(prefix + _line({key: values[index] for key, values in outputs.items()}))
    print(f"version {response.model_spec.version.value}, {seconds * 1000:.0f} ms", file=sys.stderr)


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
