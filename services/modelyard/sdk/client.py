"""The client: `Client().datasets.push("digits", "./digits")`.

Nouns are those of the API, and what they answer are its messages.
"""

from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from modelyard.sdk.connection import Connection
from modelyard.sdk.discovery import find_access
from modelyard.sdk.hosts import Hosts
from modelyard.sdk.jobs import Jobs
from modelyard.sdk.projects import Projects
from modelyard.sdk.tokens import Tokens
from modelyard.sdk.workers import Workers

if TYPE_CHECKING:
    from modelyard.sdk.datasets import Datasets
    from modelyard.sdk.deployments import Deployments
    from modelyard.sdk.lineage import Lineage
    from modelyard.sdk.models import Models
    from modelyard.sdk.packages import Packages


class Client:
    """One installation as one project's user sees it."""

    def __init__(
        self,
        server: str = "",
        *,
        token: str = "",
        token_file: str = "",
        project: str = "default",
        folder: Path | None = None,
    ) -> None:
        """Without arguments: environment variables, then the nearest `.modelyard` folder.

        Args:
            server: `host:port`; plaintext only on this machine.
            token: the token itself; `token_file`: a file that holds it.
            project: where short names such as `mnist` are looked up.
            folder: a data folder of `modelyard up` instead of the nearest one.
        """
        self.project = project
        self.connection = Connection(find_access(server, token, token_file, folder))
        self.projects = Projects(self.connection)
        self.tokens = Tokens(self.connection)
        self.jobs = Jobs(self.connection, project)
        self.workers = Workers(self.connection)
        self.hosts = Hosts(self.connection)

    # What moves files or asks models takes longer to import than all the rest, and most commands do neither.

    @cached_property
    def datasets(self) -> "Datasets":
        from modelyard.sdk.datasets import Datasets

        return Datasets(self.connection, self.project)

    @cached_property
    def models(self) -> "Models":
        from modelyard.sdk.models import Models

        return Models(self.connection, self.project)

    @cached_property
    def packages(self) -> "Packages":
        from modelyard.sdk.packages import Packages

        return Packages(self.connection, self.project)

    @cached_property
    def deployments(self) -> "Deployments":
        from modelyard.sdk.deployments import Deployments

        return Deployments(self.connection, self.project)

    @cached_property
    def lineage(self) -> "Lineage":
        from modelyard.sdk.lineage import Lineage

        return Lineage(self.connection, self.project)

    def close(self) -> None:
        """Close the channel."""
        self.connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
