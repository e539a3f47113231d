"""`modelyard evaluate`"""

from pathlib import Path
from typing import Annotated

import typer

from modelyard.cli.bars import byte_bars
from modelyard.cli.created import show_created
from modelyard.cli.datasets import names as dataset_names
from modelyard.cli.globals import settings
from modelyard.cli.models import names as model_names
from modelyard.cli.outcome import finish
from modelyard.cli.output import console
from modelyard.cli.parameters import parameter
from modelyard.cli.places import check_place
from modelyard.cli.reports import save_page
from modelyard.cli.suggest import suggesting
from modelyard.cli.watch import watch_job
from modelyard.sdk.jobs import State


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(evaluate)


def evaluate(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="`digits`, `digits@3`, `digits@champion`.")],
    dataset: Annotated[str, typer.Option(help="What it is judged on: `mnist`, `mnist@3`.")],
    split: Annotated[str, typer.Option(help="The split; by default what is held out.")] = "",
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter: batch_size=64.")] = None,
    job: Annotated[str, typer.Option(help="The job's name; by default one is made.")] = "",
    watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False,
    report: Annotated[Path | None, typer.Option(help="Follow it and write its page into this file.")] = None,
) -> None:
    """Judge a model version on a dataset version: metrics, classes, confusion, mistakes."""
    as_json = settings(context).json
    parameters = dict(parameter(each) for each in set_ or ()) | ({"split": split} if split else {})
    if report is not None:
        check_place(report, "--report")
    with settings(context).client() as client:
        with (
            suggesting("dataset", dataset, lambda: dataset_names(client)),
            suggesting("model", model, lambda: model_names(client)),
        ):
            created = client.jobs.create("evaluate", dataset, model_version=model, parameters=parameters, job_id=job)
        if not watch and report is None:
            show_created(created, as_json=as_json)
            return
        ended = watch_job(client, created.name, quiet=as_json)
        if report is not None and ended.state == State.STATE_SUCCEEDED:
            with byte_bars(quiet=as_json) as progress:
                save_page(client, f"{ended.name}/outputs/report", report, progress)
        if not as_json and report is not None and ended.state == State.STATE_SUCCEEDED:
            console().print(f"the report is in {report}")
        finish(client, ended, as_json=as_json)
