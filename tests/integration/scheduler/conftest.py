"""A catalog beside schedulers that a test starts and stops by itself, on SQLite and PostgreSQL."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from modelyard.foundation.config import SqlSettings
from tests.support.dataset_catalog import DatasetCatalog, running_dataset_catalog
from tests.support.scheduling import Scheduler, running_scheduler, scheduler_settings
from tests.support.servers import Issuers

Start = Callable[..., AbstractAsyncContextManager[Scheduler]]


@pytest.fixture
async def dataset_catalog(tmp_path: Path) -> AsyncIterator[DatasetCatalog]:
    async with running_dataset_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
def start(tmp_path: Path, dataset_catalog: DatasetCatalog, issuers: Issuers, sql_settings: SqlSettings) -> Start:
    """`async with start(lease_s=2) as scheduler`: each on the same database."""

    def begin(**attempts: Any) -> AbstractAsyncContextManager[Scheduler]:
        settings = scheduler_settings(tmp_path, sql_settings, dataset_catalog.target, issuers, **attempts)
        return running_scheduler(settings, dataset_catalog, issuers)

    return begin
