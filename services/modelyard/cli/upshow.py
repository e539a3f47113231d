"""What `modelyard up` and `modelyard down` show while everything starts and stops."""

import asyncio
import sys
from pathlib import Path

from rich.console import Console

from modelyard.cli.local import refusals
from modelyard.local.folder import DataFolder
from modelyard.local.stopping import stop
from modelyard.local.store import Store
from modelyard.local.up import DEFAULT_PORT, Listener, Wanted, run, start_detached

_TITLES = {
    "store": "object store",
    "catalog": "catalog",
    "scheduler": "scheduler",
    "inference": "inference",
    "proxy": "proxy",
    "trainer": "trainer worker",
    "modelhost": "model host",
}


_GOES = {
    "trainer": "; running jobs save a checkpoint",
    "modelhost": "; its model servers answer what they were asked",
}


def show_up(folder: Path, port: int | None, s3_endpoint: str, *, detach: bool) -> None:
    """Run it, in front or in the background; exits with a sentence when it can't start.

    Without a port it is at the one that it had the last time.
    """
    last = DataFolder(folder).last_port()
    wanted = Wanted(folder, port or last or DEFAULT_PORT, s3_endpoint)
    if port is None and last not in (None, DEFAULT_PORT):
        _say(f"port {last}, as the last time; another: --port")
    with refusals():
        if detach:
            address = start_detached(wanted)
            _say_up(address, folder)
            _say(f"it goes on in the background; stop it: modelyard down{_dir_option(folder)}")
        else:
            asyncio.run(run(wanted, Listener(_say_store, _say_process, lambda address: _say_up(address, folder))))


def show_down(folder: Path) -> None:
    """Stop it; exits with a sentence when nothing runs there. Who stops is shown at a terminal, and then forgotten."""
    console = Console(stderr=True, highlight=False)
    with refusals():
        if not console.is_terminal:
            stop(folder)
        else:
            with console.status("stopping") as line:
                stop(folder, lambda name: line.update(f"stopping: {_TITLES[name]}{_GOES.get(name, '')}"))
    print("stopped", file=sys.stderr)


def _say(line: str) -> None:
    print(line, flush=True)


def _say_store(store: Store) -> None:
    _say(f"object store: {store.title}")


def _say_process(name: str, what: str) -> None:
    if what != "starting":
        _say(f"{_TITLES.get(name, name)} {what}")


def _say_up(address: str, folder: Path) -> None:
    option = _dir_option(folder)
    _say(f"up at {address}; data in {folder}")
    _say(f"try: modelyard{option} datasets import mnist")
    _say(f"     modelyard{option} train image-classification --dataset mnist --set epochs=3 --watch")


def _dir_option(folder: Path) -> str:
    return "" if folder == Path(".modelyard") else f" --dir {folder}"
