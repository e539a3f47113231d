"""What datasets, models and packages have in common: `versions`, `pull`, `alias` and `delete`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import typer
from google.protobuf.message import Message

from modelyard.cli.bars import byte_bars
from modelyard.cli.globals import settings
from modelyard.cli.output import age, bytes_text, show_all, show_done
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.names import short
from modelyard.sdk.progress import Progress


class Collection(Protocol):
    """A collection of the SDK whose things have immutable versions."""

    def list(self) -> Iterator[Any]: ...

    def versions(self, name: str) -> Iterator[Any]: ...

    def pull(self, version: str, folder: Path | str, *, progress: Progress) -> None: ...

    def delete(self, name: str) -> None: ...


class Aliased(Collection, Protocol):
    """One whose versions also have aliases."""

    def set_alias(self, name: str, alias: str, version: int) -> Message: ...


@dataclass(frozen=True, slots=True)
class Noun:
    """What a command speaks of."""

    name: str
    """`dataset`."""
    content: str
    """What a version is made of, for a person: `files`."""
    of: Callable[[Client], Collection]

    def names(self, client: Client) -> list[str]:
        """Short names of all there are."""
        return [short(each.name) for each in self.of(client).list()]


def add_versions(app: typer.Typer, noun: Noun, columns: Sequence[str], row: Callable[[Any], tuple[str, ...]]) -> None:
    """Add `versions`; `row` are a version's cells under `columns`."""

    @app.command(help=f"A {noun.name}'s versions, newest first.")
    def versions(context: typer.Context, name: str) -> None:
        with settings(context).client() as client, suggesting(noun.name, name, lambda: noun.names(client)):
            show_all(
                noun.of(client).versions(name),
                columns,
                row,
                as_json=settings(context).json,
                empty="it has no version yet",
            )


FILES = ("VERSION", "FILES", "SIZE", "DIGEST", "CREATED")


def files_row(version: Any) -> tuple[str, ...]:
    """A version's cells under FILES."""
    return (
        short(version.name),
        str(version.file_count),
        bytes_text(version.size_bytes),
        version.digest[:19],
        age(version.create_time),
    )


def add_pull(app: typer.Typer, noun: Noun) -> None:
    """Add `pull`."""

    @app.command(help=f"Write a version's {noun.content} into a new folder, verified.")
    def pull(context: typer.Context, name: str, folder: Path) -> None:
        with (
            settings(context).client() as client,
            suggesting(noun.name, name, lambda: noun.names(client)),
            byte_bars(quiet=settings(context).json) as progress,
        ):
            noun.of(client).pull(name, folder, progress=progress)
        show_done(as_json=settings(context).json, name=name, folder=str(folder))


def add_alias(app: typer.Typer, noun: Noun, of: Callable[[Client], Aliased], example: str) -> None:
    """Add `alias`."""

    @app.command(help=f"Point an alias to a version: `modelyard {noun.name}s alias {example}`.")
    def alias(context: typer.Context, name: str, alias: str, version: int) -> None:
        with settings(context).client() as client, suggesting(noun.name, name, lambda: noun.names(client)):
            of(client).set_alias(name, alias, version)
        show_done(as_json=settings(context).json, name=name, alias=alias, version=version)


def add_delete(app: typer.Typer, noun: Noun) -> None:
    """Add `delete`."""

    @app.command(help=f"Delete a {noun.name} with all versions, or with `name@3` that version.")
    def delete(context: typer.Context, name: str) -> None:
        with settings(context).client() as client, suggesting(noun.name, name, lambda: noun.names(client)):
            noun.of(client).delete(name)
        show_done(as_json=settings(context).json, name=name)
