"""`modelyard models …`"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.bars import byte_bars
from modelyard.cli.comparison import Comparison, judge, show_comparison
from modelyard.cli.created import show_created
from modelyard.cli.datasets import names as dataset_names
from modelyard.cli.globals import settings
from modelyard.cli.imports import TEMPLATE, check_fit, check_import, imported_before, show_imported_before
from modelyard.cli.modelfacts import State, version_facts
from modelyard.cli.outcome import finish
from modelyard.cli.output import (
    age,
    bytes_text,
    console,
    metrics_text,
    print_json,
    show_all,
    show_facts,
    state_text,
    to_json,
)
from modelyard.cli.parameters import parameter
from modelyard.cli.pushes import of_one_kind
from modelyard.cli.suggest import suggesting
from modelyard.cli.versions import Noun, add_alias, add_delete, add_pull, add_versions
from modelyard.cli.watch import watch_job
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.names import short

NOUN = Noun("model", "SavedModel", lambda client: client.models)
names = NOUN.names
app = typer.Typer(help="Models: push, list, show, compare, versions, pull, alias, delete.", no_args_is_help=True)


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
            empty="there is no model yet; train one, or bring one: modelyard models push NAME ./saved_model",
        )


@app.command()
def push(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The model that gets the version, such as `digits`.")],
    path: Annotated[Path, typer.Argument(help="A SavedModel's folder, or a .keras file.")],
    dataset: Annotated[str, typer.Option(help="Check it on real examples of this dataset.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter of the import; name=value.")] = None,
    package: Annotated[str, typer.Option(help="The package its files become; by default named like the model.")] = "",
    job: Annotated[str, typer.Option(help="Make an import job of this name, even if nothing has changed.")] = "",
    wait: Annotated[bool, typer.Option(help="Return once it is a version, or refused.")] = True,
) -> None:
    """Bring a model from elsewhere: it becomes a version once it has passed the gates, unless it is the latest."""
    as_json = settings(context).json
    parameters = dict(parameter(each) for each in set_ or ())
    _check_model(path)
    package = package or name
    with settings(context).client() as client:
        with suggesting("dataset", dataset, lambda: dataset_names(client)):
            check_import(client, package, dataset, name, parameters)
            if dataset:
                check_fit(path, client.datasets.input_spec(dataset), str(parameters.get("input", "")))
        with byte_bars(quiet=as_json) as progress, of_one_kind():
            source = client.packages.push(package, path, contents="model", progress=progress)
        if not as_json:
            said = "unchanged, nothing was sent" if source.unchanged else f"{bytes_text(source.sent_bytes)} sent"
            files = f"{source.file_count:,} file{'s' if source.file_count != 1 else ''}"
            console().print(f"source {short(source.version)}: {files}, {said}")
        import_ = partial(
            client.jobs.create, TEMPLATE, dataset, source=source.version, model=name, parameters=parameters
        )
        if source.unchanged and not job and (before := imported_before(client, import_(validate_only=True))):
            show_imported_before(before, as_json=as_json)
            return
        created = import_(job_id=job)
        if wait:
            finish(client, watch_job(client, created.name, quiet=as_json), as_json=as_json)
        else:
            show_created(created, as_json=as_json)


def _check_model(path: Path) -> None:
    """Say at once what no import could make sense of."""
    if not path.exists():
        raise InvalidArgument(
            f"{path} does not exist; give a SavedModel's folder or a .keras file", reason="NOT_A_MODEL"
        )
    if path.is_dir() and not ((path / "saved_model.pb").is_file() or (path / "saved_model.pbtxt").is_file()):
        raise InvalidArgument(
            f"{path} has no saved_model.pb; give the folder that holds it, or a .keras file", reason="NOT_A_MODEL"
        )
    if path.is_file() and path.suffix != ".keras":
        raise InvalidArgument(f"{path} is neither a .keras file nor a SavedModel's folder", reason="NOT_A_MODEL")


@app.command()
def show(
    context: typer.Context, name: Annotated[str, typer.Argument(help="`digits`, `digits@3`, `digits@latest`.")]
) -> None:
    """A version: what it can be asked, gates, metrics, evaluations, what it needs."""
    with settings(context).client() as client, suggesting("model", name, lambda: names(client)):
        version = client.models.version(name)
        evaluations = list(client.models.evaluations(version.name))
    if settings(context).json:
        print_json({**to_json(version), "evaluations": [to_json(each) for each in evaluations]})
        return
    show_facts(version_facts(version, evaluations))


@app.command()
def compare(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="`digits@1`.")],
    second: Annotated[str, typer.Argument(help="`digits@2`, or a version of another model.")],
    dataset: Annotated[str, typer.Option(help="What they are judged on: `mnist`, `mnist@3`.")],
    split: Annotated[str, typer.Option(help="The split; by default what is held out.")] = "",
) -> None:
    """Two versions on the same data, by metric and by class; evaluations that are missing are made."""
    as_json = settings(context).json
    with settings(context).client() as client:
        with suggesting("dataset", dataset, lambda: dataset_names(client)):
            data = client.datasets.version(dataset)
        judged = [
            judge(client, each, data.name, split, lambda: names(client), quiet=as_json) for each in (first, second)
        ]
    comparison = Comparison(*judged)
    if as_json:
        print_json(comparison.to_json())
    else:
        show_comparison(comparison)


add_versions(
    app,
    NOUN,
    ("VERSION", "STATE", "METRICS", "SIZE", "CREATED"),
    lambda each: (
        short(each.name),
        state_text(State.Name(each.state)),
        metrics_text(each.info.metrics.items()),
        bytes_text(each.size_bytes),
        age(each.create_time),
    ),
)
add_pull(app, NOUN)
add_alias(app, NOUN, lambda client: client.models, "digits champion 3")
add_delete(app, NOUN)
