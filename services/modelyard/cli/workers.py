"""`modelyard workers …` and `modelyard worker run`"""

from pathlib import Path
from typing import Annotated

import typer

from modelyard.api.scheduler.v1 import device_pb2, worker_pb2
from modelyard.cli.globals import settings
from modelyard.cli.local import installed
from modelyard.cli.output import age, bytes_text, print_json, show_all, state_text, to_json
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.names import short

app = typer.Typer(help="Workers: list, cordon, uncordon, drain.", no_args_is_help=True)
_here = typer.Typer(help="A worker on this machine.", no_args_is_help=True)
_State = worker_pb2.Worker.State


def register(app: typer.Typer) -> None:
    """Add `worker run`."""
    app.add_typer(_here, name="worker")


@app.command("list")
def list_(context: typer.Context) -> None:
    """The machines that run jobs, and their devices."""
    with settings(context).client() as client:
        show_all(
            client.workers.list(),
            ("NAME", "STATE", "DEVICES", "JOBS", "HOST", "TENSORFLOW", "HEARD OF"),
            lambda each: (
                short(each.name),
                state_text(_State.Name(each.state)),
                "; ".join(_device(device) for device in each.devices),
                " ".join(attempt.split("/")[3] for attempt in each.attempts),
                each.hostname,
                each.tensorflow_version,
                age(each.heartbeat_time),
            ),
            as_json=settings(context).json,
            empty="no worker has connected yet; start one: modelyard worker run --server HOST:PORT --token-file FILE",
        )


@app.command()
def cordon(context: typer.Context, name: str) -> None:
    """Give a worker no new jobs."""
    with settings(context).client() as client, suggesting("worker", name, lambda: names(client)):
        _show(client.workers.cordon(name), as_json=settings(context).json)


@app.command()
def uncordon(context: typer.Context, name: str) -> None:
    """Give it new jobs again."""
    with settings(context).client() as client, suggesting("worker", name, lambda: names(client)):
        _show(client.workers.uncordon(name), as_json=settings(context).json)


@app.command()
def drain(context: typer.Context, name: str) -> None:
    """Stop a worker's jobs at a checkpoint; they go on elsewhere."""
    with settings(context).client() as client, suggesting("worker", name, lambda: names(client)):
        _show(client.workers.drain(name), as_json=settings(context).json)


@_here.command()
def run(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="The worker's name, as in its token `workers/NAME`.")],
    trust_file: Annotated[Path, typer.Option(help="The installation's trust list (keys/trust.json).")],
    work_folder: Annotated[Path, typer.Option(help="Where copies of datasets are kept.")] = Path("modelyard-worker"),
    ca_file: Annotated[str, typer.Option(help="Authority of the server's certificate.")] = "",
) -> None:
    """Run jobs on this machine for the installation at --server, with the token in --token-file."""
    with installed():
        from modelyard.local.remote import run_worker
    chosen = settings(context)
    raise SystemExit(run_worker(chosen.server, chosen.token_file, name, trust_file, work_folder, ca_file))


def names(client: Client) -> list[str]:
    """Short names of all workers."""
    return [short(each.name) for each in client.workers.list()]


def _show(worker: worker_pb2.Worker, *, as_json: bool) -> None:
    if as_json:
        print_json(to_json(worker))
    else:
        print(f"{short(worker.name)} is {state_text(_State.Name(worker.state))}")


def _device(device: device_pb2.Device) -> str:
    kind = device_pb2.DeviceKind.Name(device.kind).removeprefix("DEVICE_KIND_").lower()
    memory = f", {bytes_text(device.memory_bytes)}" if device.memory_bytes else ""
    problem = f" ({device.problem})" if device.problem else ""
    return f"{kind}:{device.index} {device.model}{memory}{problem}"
