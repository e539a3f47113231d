"""`modelyard projects …`"""

from collections.abc import Iterator
from typing import TypeVar

import typer

from modelyard.cli.globals import settings
from modelyard.cli.output import age, print_json, show_all, show_done, to_json
from modelyard.cli.suggest import suggesting
from modelyard.sdk import Client
from modelyard.sdk.names import short

T = TypeVar("T")

app = typer.Typer(help="Projects: list, create, delete.", no_args_is_help=True)


@app.command("list")
def list_(context: typer.Context) -> None:
    """The projects in which the token has a role."""
    with settings(context).client() as client:
        show_all(
            client.projects.list(),
            ("NAME", "TITLE", "CREATED"),
            lambda each: (short(each.name), each.display_name, age(each.create_time)),
            as_json=settings(context).json,
            empty="the token has a role in no project",
        )


@app.command()
def create(context: typer.Context, name: str, title: str = "") -> None:
    """A new project."""
    with settings(context).client() as client:
        project = client.projects.create(name, title)
    if settings(context).json:
        print_json(to_json(project))


@app.command()
def delete(context: typer.Context, name: str) -> None:
    """Delete an empty project."""
    with settings(context).client() as client, suggesting("project", name, lambda: names(client)):
        client.projects.delete(name)
    show_done(as_json=settings(context).json, name=name)


def of_project(client: Client, found: Iterator[T]) -> Iterator[T]:
    """What is listed in the client's project by a service that keeps no projects: to it one that is not there is empty.
    Raises NotFound."""
    empty = True
    for each in found:
        empty = False
        yield each
    if empty:
        client.projects.get(client.project)


def names(client: Client) -> list[str]:
    """Ids of all projects."""
    return [short(each.name) for each in client.projects.list()]
