"""`modelyard up`, `down`, `status` and `doctor`: the installation on this machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from modelyard.cli.failures import FAILED, WRONG_STATE, WRONG_USE
from modelyard.cli.globals import settings
from modelyard.cli.output import console, print_json, show_facts, show_table


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, doctor):
        app.command()(command)


@contextmanager
def installed() -> Iterator[None]:
    """The server's parts come with an extra; without them, say so."""
    try:
        yield
    except ImportError as error:
        print(
            f"error: this needs the services, and {error.name} is missing: pip install 'modelyard[all]'",
            file=sys.stderr,
        )
        sys.exit(WRONG_STATE)


@contextmanager
def refusals() -> Iterator[None]:
    """What this machine's own part refuses is a sentence and an exit status too. Inside `installed`."""
    from modelyard.local.errors import Kind, LocalError

    try:
        yield
    except LocalError as error:
        print(f"error: {error.message} [{error.reason}]", file=sys.stderr)
        sys.exit(WRONG_USE if error.kind is Kind.INVALID else WRONG_STATE)


def up(
    context: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(
            help="The one address is 127.0.0.1:PORT.", min=1, max=65535, show_default="the last one, else 8470"
        ),
    ] = None,
    s3_endpoint: Annotated[
        str, typer.Option(help="An S3 store that runs already, such as http://127.0.0.1:9000.")
    ] = "",
    detach: Annotated[bool, typer.Option(help="Return once it is up; it goes on in the background.")] = False,
) -> None:
    """Start the installation: object store, catalog, scheduler, inference, proxy, a worker, a model host."""
    with installed():
        from modelyard.cli.upshow import show_up
    show_up(settings(context).folder, port, s3_endpoint, detach=detach)


def down(context: typer.Context) -> None:
    """Stop the installation of the data folder; jobs checkpoint first."""
    with installed():
        from modelyard.cli.upshow import show_down
    show_down(settings(context).nearest_folder)


def status(context: typer.Context) -> None:
    """What runs here, and where."""
    with installed():
        from modelyard.local.status import read_status
    found = read_status(settings(context).nearest_folder)
    if settings(context).json:
        print_json(found.to_json())
    elif not found.running:
        console().print(f"nothing runs on {found.folder}; start it: modelyard up")
    else:
        show_facts(
            [("address", found.address), ("store", found.store), ("version", found.version), ("folder", found.folder)]
        )
        show_table(("PROCESS", "STATE"), found.processes)
    if not found.running or not found.healthy:
        sys.exit(FAILED)


def doctor(context: typer.Context) -> None:
    """Look for what is missing on this machine, and say what to do about it."""
    with installed():
        from modelyard.local.doctor import examine
    findings = examine(settings(context).nearest_folder)
    if settings(context).json:
        print_json([finding.to_json() for finding in findings])
    else:
        show_table(("", "WHAT", "FOUND"), [("ok" if each.ok else "!!", each.what, each.found) for each in findings])
    if not all(each.ok for each in findings):
        sys.exit(FAILED)
