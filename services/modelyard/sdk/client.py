"""The client: `Client().datasets.push("digits", "./digits")`.

Nouns are those of the API, and what they answer are its messages.
"""

from pathlib import Path
from types import TracebackType

from modelyard.sdk.connection import Connection
from modelyard.sdk.datasets import Datasets
from modelyard.sdk.deployments import Deployments
from modelyard.sdk.discovery import find_access
from modelyard.sdk.hosts import Hosts
from modelyard.sdk.jobs import Jobs
from modelyard.sdk.lineage import Lineage
from modelyard.sdk.models import Models
from modelyard.sdk.packages import Packages
from modelyard.sdk.projects import Projects
from modelyard.sdk.tokens import Tokens
from modelyard.sdk.workers import Workers


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
        self.datasets = Datasets(self.connection, project)
        self.models = Models(self.connection, project)
        self.packages = Packages(self.connection, project)
        self.lineage = Lineage(self.connection, project)
        self.jobs = Jobs(self.connection, project)
        self.workers = Workers(self.connection)
        self.deployments = Deployments(self.connection, project)
        self.hosts = Hosts(self.connection)

    def close(self) -> None:
        """Close the channel."""
        self.connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
