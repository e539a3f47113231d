"""`modelyard models …`"""

from pathlib import Path
from typing import Annotated

import typer

from modelyard.api.catalog.v1 import model_pb2
from modelyard.cli.bars import byte_bars
from modelyard.cli.globals import settings
from modelyard.cli.output import age, bytes_text, metrics_text, print_json, show_all, show_facts, state_text, to_json
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.names import short

app = typer.Typer(help="Models: list, show, versions, pull, alias, delete.", no_args_is_help=True)
_State = model_pb2.ModelVersion.State


@app.command("list")
def list_(context: typer.Context) -> None:
    """The project's models."""
    with settings(context).client() as client:
        show_all(
            client.models.list(),
            ("NAME", "LATEST", "ALIASES", "UPDATED"),
            lambda each: (
                short(each.name),
                str(each.latest_version or "–"),
                " ".join(f"{alias}={version}" for alias, version in sorted(each.aliases.items())),
                age(each.update_time),
            ),
            as_json=settings(context).json,
            empty="there is no model yet; train one: modelyard train image-classification --dataset NAME",
        )


@app.command()
def show(
    context: typer.Context, name: Annotated[str, typer.Argument(help="`digits`, `digits@3`, `digits@latest`.")]
) -> None:
    """A version: metrics, gates, where it came from."""
    with settings(context).client() as client, suggesting("model", name, lambda: names(client)):
        version = client.models.version(name)
    if settings(context).json:
        print_json(to_json(version))
        return
    show_facts(
        [
            ("name", short(version.name)),
            ("state", state_text(_State.Name(version.state))),
            ("digest", version.digest),
            ("files", f"{version.file_count}, {bytes_text(version.size_bytes)}"),
            ("metrics", metrics_text(version.info.metrics.items())),
            *[
                (f"gate {gate.kind}", f"{state_text(model_pb2.Gate.State.Name(gate.state))}: {gate.detail}")
                for gate in version.info.gates
            ],
            ("made with", " ".join(f"{key} {value}" for key, value in sorted(version.info.frameworks.items()))),
            ("created", f"{age(version.create_time)} by {version.creator}"),
        ]
    )


@app.command()
def versions(context: typer.Context, name: str) -> None:
    """A model's versions, newest first."""
    with settings(context).client() as client, suggesting("model", name, lambda: names(client)):
        show_all(
            client.models.versions(name),
            ("VERSION", "STATE", "METRICS", "SIZE", "CREATED"),
            lambda each: (
                short(each.name),
                state_text(_State.Name(each.state)),
                metrics_text(each.info.metrics.items()),
                bytes_text(each.size_bytes),
                age(each.create_time),
            ),
            as_json=settings(context).json,
            empty="it has no version yet",
        )


@app.command()
def pull(context: typer.Context, name: str, folder: Path) -> None:
    """Write a version's SavedModel into a new folder, verified."""
    quiet = settings(context).json
    with (
        settings(context).client() as client,
        suggesting("model", name, lambda: names(client)),
        byte_bars(quiet=quiet) as progress,
    ):
        client.models.pull(name, folder, progress=progress)


@app.command()
def alias(context: typer.Context, name: str, alias: str, version: int) -> None:
    """Point an alias to a version: `modelyard models alias digits champion 3`."""
    with settings(context).client() as client, suggesting("model", name, lambda: names(client)):
        client.models.set_alias(name, alias, version)


@app.command()
def delete(context: typer.Context, name: str) -> None:
    """Delete a model with all versions, or with `name@3` that version."""
    with settings(context).client() as client, suggesting("model", name, lambda: names(client)):
        client.models.delete(name)


def names(client: Client) -> list[str]:
    """Short names of all models."""
    return [short(each.name) for each in client.models.list()]
