"""The options of every command, wherever they stand on the line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from modelyard.cli.grpcurl import print_call
from modelyard.sdk import Client
from modelyard.sdk.discovery import data_folder

_WITH_VALUE = ("--server", "--token-file", "--project", "--dir", "--output", "-o")
_FLAGS = ("--show-grpc",)
_OUTPUTS = ("text", "json")
DEFAULT_FOLDER = ".modelyard"


@dataclass(frozen=True, slots=True)
class Globals:
    """What was said for every command."""

    server: str
    token_file: str
    project: str
    dir: str
    json: bool
    show_grpc: bool

    @property
    def folder(self) -> Path:
        """The data folder that `up` makes or goes on with."""
        return Path(self.dir or DEFAULT_FOLDER)

    @property
    def nearest_folder(self) -> Path:
        """The data folder of an installation that is there: where none is here, the nearest above, as for clients."""
        if self.dir or self.folder.exists():
            return self.folder
        return data_folder() or self.folder

    def client(self) -> Client:
        """A client for this installation and project."""
        client = Client(
            self.server,
            token_file=self.token_file,
            project=self.project,
            folder=Path(self.dir) if self.dir else None,
        )
        if self.show_grpc:
            client.connection.watch_calls(lambda method, request: print_call(client.connection.access, method, request))
        return client


def settings(context: typer.Context) -> Globals:
    """Of the command that runs."""
    found = context.find_object(Globals)
    assert found is not None
    return found


def hoist(arguments: Sequence[str]) -> list[str]:
    """Put the options of every command before the command's name, where Typer looks for them.

    `predict` has an `--output` of its own, which is no `text` and no `json`.
    """
    front: list[str] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        name, equals, value = argument.partition("=")
        if argument == "--":
            rest += [argument, *waiting]
            break
        if name == "--output" and "predict" in arguments and (value or "".join(waiting[:1])) not in _OUTPUTS:
            rest.append(argument)  # there it names a dataset
        elif argument in _FLAGS or (name in _WITH_VALUE and equals):
            front.append(argument)
        elif argument in _WITH_VALUE and waiting:
            front += [argument, waiting.pop(0)]
        else:
            rest.append(argument)
    return front + rest
