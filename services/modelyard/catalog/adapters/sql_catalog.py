"""The catalog's transactions on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, insert

from modelyard.catalog.adapters import schema
from modelyard.catalog.adapters.sql_artifacts import SqlArtifacts, SqlVersions
from modelyard.catalog.adapters.sql_evaluations import SqlEvaluations
from modelyard.catalog.adapters.sql_executions import SqlCheckpoints, SqlExecutions
from modelyard.catalog.adapters.sql_outputs import SqlOutputs
from modelyard.catalog.adapters.sql_profiles import SqlProfiles
from modelyard.catalog.adapters.sql_projects import SqlProjects
from modelyard.catalog.adapters.sql_tokens import SqlTokens
from modelyard.catalog.adapters.sql_trees import SqlGarbage, SqlTrees
from modelyard.catalog.adapters.sql_uploads import SqlUploads
from modelyard.catalog.service.ports import AuditRow, RequestKey, Transaction
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.foundation.sql.requests import RequestKey as StoredKey
from modelyard.foundation.sql.requests import once

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
SCHEMA = "catalog"


class SqlTransaction:
    """One transaction, by noun."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.projects = SqlProjects(connection)
        self.artifacts = SqlArtifacts(connection)
        self.versions = SqlVersions(connection)
        self.trees = SqlTrees(connection)
        self.uploads = SqlUploads(connection)
        self.checkpoints = SqlCheckpoints(connection)
        self.outputs = SqlOutputs(connection)
        self.evaluations = SqlEvaluations(connection)
        self.profiles = SqlProfiles(connection)
        self.executions = SqlExecutions(connection)
        self.tokens = SqlTokens(connection)
        self.garbage = SqlGarbage(connection)

    def audit(self, row: AuditRow) -> None:
        values = {
            "time": row.time,
            "subject": row.subject,
            "token_id": row.token_id,
            "action": row.action,
            "resource": row.resource,
            "request_id": row.request_id,
        }
        self._connection.execute(insert(schema.audit).values(values))

    def once(self, key: RequestKey, now: datetime, work: Callable[[], str]) -> str:
        stored = StoredKey(key.request_id, key.caller, key.method)
        answer = once(self._connection, schema.requests, stored, key.body, lambda: work().encode(), now)
        return answer.decode()


class SqlCatalog:
    """The port `Catalog` on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, work: Callable[[Transaction], T]) -> T:
        return await self._database.run(lambda connection: work(SqlTransaction(connection)), retry_unique=True)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._database.read(lambda connection: work(SqlTransaction(connection)))

    async def migrate(self) -> str:
        """Brings the database up to this version's schema."""
        return await migrate(self._database, MIGRATIONS)
