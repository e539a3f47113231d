from collections.abc import Iterator

import pytest

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from tests.integration.foundation.things import METADATA


@pytest.fixture
def database(sql_settings: SqlSettings) -> Iterator[Database]:
    database = Database(sql_settings)
    METADATA.create_all(database.engine)
    yield database
    database.close()
