"""What `modelyard up` shows while it starts and stops."""

import asyncio
from pathlib import Path

from modelyard.cli.local import refusals
from modelyard.local.store import Store
from modelyard.local.up import Listener, Wanted, run, start_detached

_TITLES = {
    "store": "object store",
    "catalog": "catalog",
    "scheduler": "scheduler",
    "inference": "inference",
    "proxy": "proxy",
    "trainer": "trainer worker",
    "modelhost": "model host",
}


def show_up(folder: Path, port: int, s3_endpoint: str, *, detach: bool) -> None:
    """Run it, in front or in the background; exits with a sentence when it can't start."""
    wanted = Wanted(folder, port, s3_endpoint)
    with refusals():
        if detach:
            address = start_detached(wanted)
            _say_up(address, folder)
            _say(f"it goes on in the background; stop it: modelyard down{_dir_option(folder)}")
        else:
            asyncio.run(run(wanted, Listener(_say_store, _say_process, lambda address: _say_up(address, folder))))


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
