"""`modelyard predict NAME --dataset D --output E`: a job that asks a model about a whole dataset."""

import sys
from typing import Any

import typer

from modelyard.cli.created import show_created
from modelyard.cli.datasets import names as dataset_names
from modelyard.cli.deployments import names as deployment_names
from modelyard.cli.globals import settings
from modelyard.cli.models import names as model_names
from modelyard.cli.outcome import finish
from modelyard.cli.output import console
from modelyard.cli.suggest import suggesting
from modelyard.cli.watch import watch_job
from modelyard.sdk import Client
from modelyard.sdk.errors import FailedPrecondition, ModelyardError, NotFound
from modelyard.sdk.names import short

TEMPLATE = "predict"
MADE_BY = "modelyard predict"


def predict_dataset(
    context: typer.Context,
    name: str,
    dataset: str,
    output: str,
    *,
    parameters: dict[str, Any],
    job: str = "",
    watch: bool = False,
) -> None:
    """Ask `name`, a deployment or `model@version`, about every example of a dataset version; the answers become a
    version of the dataset `output`, by default called after both."""
    if not dataset:
        raise typer.BadParameter("--output names the dataset of the answers; --dataset what the model is asked about")
    as_json = settings(context).json
    with settings(context).client() as client:
        version, deployment = _asked(client, name)
        with suggesting("dataset", dataset, lambda: dataset_names(client)):
            created = client.jobs.create(
                TEMPLATE, dataset, model_version=version, output_dataset=output, parameters=parameters, job_id=job
            )
        target = created.spec.output_dataset
        note = _other_content(client, target)
        if note:
            print(f"note: {note}", file=sys.stderr)
        if not as_json:
            served = f", which the deployment {deployment} serves now," if deployment else ""
            asked = short(created.spec.model_version)
            console().print(
                f"asks {asked}{served} about {short(created.spec.dataset_version)}; the answers become a version of "
                f"{short(target)}"
            )
        if not watch:
            show_created(created, as_json=as_json)
            return
        finish(client, watch_job(client, created.name, quiet=as_json), as_json=as_json)


def _asked(client: Client, name: str) -> tuple[str, str]:
    """The model version's full name, and the deployment that serves it, "" where the version itself was named."""
    if "@" in name or "/versions/" in name:
        with suggesting("model", name, lambda: model_names(client)):
            return client.models.version(name).name, ""
    try:
        with suggesting("deployment", name, lambda: deployment_names(client)):
            deployment = client.deployments.get(name)
    except NotFound as error:
        if name not in model_names(client):
            raise
        raise NotFound(
            f"there is no deployment `{name}`, but a model of that name: `{name}@latest` is its newest version",
            reason=error.reason,
        ) from error
    if not deployment.serving_version:
        raise FailedPrecondition(
            f"{name} serves nothing yet; ask the model version itself: {short(deployment.model_version)}",
            reason="NOT_SERVING",
        )
    return deployment.serving_version, short(deployment.name)


def _other_content(client: Client, target: str) -> str:
    """What the dataset holds that gets the answers, where that is something else than answers; "" otherwise."""
    try:
        spec = client.datasets.input_spec(target)
    except ModelyardError:
        return ""  # it is new, or does not describe itself
    if spec.generated_by.startswith(MADE_BY):
        return ""
    latest = short(spec.dataset_version)
    return f"{latest} holds no answers ({spec.modality}, {spec.layout}); they become the version after it"
