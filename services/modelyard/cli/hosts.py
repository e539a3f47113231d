"""`modelyard hosts …` and `modelyard host run`"""

from pathlib import Path
from typing import Annotated

import typer

from modelyard.api.inference.v1 import host_pb2
from modelyard.cli.globals import settings
from modelyard.cli.local import installed
from modelyard.cli.output import age, print_json, show_all, state_text, to_json
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.names import short

app = typer.Typer(help="Model hosts: list, drain.", no_args_is_help=True)
_here = typer.Typer(help="A model host on this machine.", no_args_is_help=True)
_State = host_pb2.Host.State


def register(app: typer.Typer) -> None:
    """Add `host run`."""
    app.add_typer(_here, name="host")


@app.command("list")
def list_(context: typer.Context) -> None:
    """The machines that run model servers."""
    with settings(context).client() as client:
        show_all(
            client.hosts.list(),
            ("NAME", "STATE", "SERVES", "MODEL SERVER", "HOST", "HEARD OF"),
            lambda each: (
                short(each.name),
                state_text(_State.Name(each.state)),
                " ".join(short(served.model_version) for served in each.served_versions),
                each.model_server,
                each.hostname,
                age(each.heartbeat_time),
            ),
            as_json=settings(context).json,
            empty="no host has connected yet; start one: modelyard host run --server HOST:PORT --token-file FILE",
        )


@app.command()
def drain(context: typer.Context, name: str) -> None:
    """Give a host no new deployments."""
    with settings(context).client() as client, suggesting("host", name, lambda: names(client)):
        host = client.hosts.drain(name)
    if settings(context).json:
        print_json(to_json(host))
    else:
        print(f"{short(host.name)} is {state_text(_State.Name(host.state))}")


@_here.command()
def run(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="The host's name, as in its token `hosts/NAME`.")],
    work_folder: Annotated[Path, typer.Option(help="Where copies of models are kept.")] = Path("modelyard-host"),
    ca_file: Annotated[str, typer.Option(help="Authority of the server's certificate.")] = "",
) -> None:
    """Serve models on this machine for the installation at --server, with the token in --token-file."""
    with installed():
        from modelyard.local.remote import run_host
    chosen = settings(context)
    raise SystemExit(run_host(chosen.server, chosen.token_file, name, work_folder, ca_file))


def names(client: Client) -> list[str]:
    """Short names of all hosts."""
    return [short(each.name) for each in client.hosts.list()]
