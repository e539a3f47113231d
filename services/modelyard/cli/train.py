"""`modelyard train`"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from modelyard.api.scheduler.v1 import device_pb2
from modelyard.cli.bars import byte_bars
from modelyard.cli.code import Code, is_path, read_code
from modelyard.cli.created import show_created
from modelyard.cli.datasets import names as dataset_names
from modelyard.cli.globals import settings
from modelyard.cli.local import installed, refusals
from modelyard.cli.outcome import finish
from modelyard.cli.output import bytes_text, console
from modelyard.cli.parameters import parameter
from modelyard.cli.pushes import of_one_kind
from modelyard.cli.suggest import suggesting
from modelyard.cli.watch import watch_job
from modelyard.sdk import Client
from modelyard.sdk.errors import InvalidArgument, ModelyardError
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
    target: Annotated[
        str, typer.Argument(help="A template (`modelyard templates list`), `./folder`, `file.py`, or `package@2`.")
    ],
    dataset: Annotated[str, typer.Option(help="`mnist`, `mnist@3`.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter: epochs=3. May be given again.")] = None,
    entry: Annotated[str, typer.Option(help="Where your code begins: train:main, or train for a script.")] = "",
    package: Annotated[str, typer.Option(help="The package your code becomes; by default named after it.")] = "",
    model: Annotated[str, typer.Option(help="The model that gets the version; by default {dataset}-{target}.")] = "",
    job: Annotated[str, typer.Option(help="The job's name; by default one is made.")] = "",
    device: Annotated[str, typer.Option(help="cpu, gpu or tpu, with a count: gpu:2.")] = "",
    priority: Annotated[int, typer.Option(help="Higher goes first; from -1000 to 1000.")] = 0,
    watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Run your code here, on the same data, as no job.")] = False,
    validate_only: Annotated[bool, typer.Option(help="Check everything, create no job.")] = False,
) -> None:
    """Train a template, or code of your own, on a dataset version."""
    if local and (model or job or device or priority or watch or package or validate_only):
        raise typer.BadParameter(
            "--model, --job, --device, --priority, --watch, --package and --validate-only are of a job, and it "
            "makes none",
            param_hint="--local",
        )
    parameters = dict(parameter(each) for each in set_ or ())
    devices = _devices(device)
    code = read_code(Path(target), entry) if is_path(target) else None
    if code is None and (entry or package) and "@" not in target:
        raise typer.BadParameter(_own_code_meant(target), param_hint="--entry, --package")
    if local:
        _train_here(context, target, code, dataset, parameters)
    as_json = settings(context).json
    with settings(context).client() as client:
        with suggesting("dataset", dataset, lambda: dataset_names(client)), _explaining(target), of_one_kind():
            if code is not None:
                _check_first(client, code, package, dataset, parameters)
            created = client.jobs.create(
                template=target if code is None and "@" not in target else "",
                package=_pushed(client, code, package, quiet=as_json) if code else target if "@" in target else "",
                entry=code.entry if code else entry,
                dataset=dataset,
                parameters=parameters,
                model=model,
                job_id=job,
                devices=devices,
                priority=priority,
                validate_only=validate_only,
            )
        if validate_only or not watch:
            show_created(created, validate_only=validate_only, as_json=as_json)
            return
        finish(client, watch_job(client, created.name, quiet=as_json), as_json=as_json)


def _own_code_meant(target: str) -> str:
    """What somebody meant who says where code begins, but names neither a path nor a pushed package."""
    template = f"`{target}` would be a template, which begins where it says"
    if Path(target).is_dir():
        return f"{template}; to train what is in the folder of that name here: ./{target}"
    return f"{template}; code of your own is ./{target}, {target}.py or {target}@1"


def _check_first(client: Client, code: Code, package: str, dataset: str, parameters: dict[str, Any]) -> None:
    """What can be refused before the code is sent: a dataset that is not there, parameters that it does not take."""
    with installed():
        from modelyard.local.package import check_parameters
    with refusals():
        check_parameters(code.template, package or code.package, parameters)
    client.datasets.input_spec(dataset)


def _pushed(client: Client, code: Code, package: str, *, quiet: bool) -> str:
    """Push the code; answers its package's version."""
    with byte_bars(quiet=quiet) as progress:
        pushed = client.packages.push_sources(package or code.package, code.sources, progress=progress)
    if not quiet:
        said = "unchanged, nothing was sent" if pushed.unchanged else f"{bytes_text(pushed.sent_bytes)} sent"
        left = f"; left out: {', '.join(code.skipped[:5])}" if code.skipped else ""
        files = f"{pushed.file_count:,} file{'s' if pushed.file_count != 1 else ''}"
        console().print(f"code {short(pushed.version)}: {files}, {said}{left}; begins at {code.entry}")
    return pushed.version


@contextmanager
def _explaining(target: str) -> Iterator[None]:
    """A template and a folder may have the same name: say which one was meant."""
    is_folder = not is_path(target) and Path(target).is_dir()
    try:
        yield
    except ModelyardError as error:
        if not is_folder or error.reason != "TEMPLATE_UNKNOWN":
            raise
        raise InvalidArgument(
            f"there is no template `{target}`, but a folder of that name here; to train what is in it: ./{target}",
            reason=error.reason,
        ) from error
    if is_folder:
        print(f"note: `{target}` is the template; the folder of that name here would be ./{target}", file=sys.stderr)


def _train_here(
    context: typer.Context, target: str, code: Code | None, dataset: str, parameters: dict[str, Any]
) -> NoReturn:
    if code is None:
        raise typer.BadParameter(f"it runs a folder or a file, and `{target}` is neither", param_hint="--local")
    with installed():
        from modelyard.local.trial import prepare, run
    with (
        refusals(),
        settings(context).client() as client,
        suggesting("dataset", dataset, lambda: dataset_names(client)),
        byte_bars(quiet=settings(context).json) as progress,
    ):
        trial = prepare(client, code.path, code.entry, dataset, parameters, progress)
    sys.exit(run(trial))


def _devices(text: str) -> device_pb2.DeviceRequest | None:
    if not text:
        return None
    kind, _, count = text.partition(":")
    if kind not in _KINDS or (count and not count.isdigit()):
        raise typer.BadParameter(f"{text!r} is not cpu, gpu, tpu, or gpu:2", param_hint="--device")
    return device_pb2.DeviceRequest(kind=_KINDS[kind], count=int(count or 1))
