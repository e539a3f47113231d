"""A scheduler with its catalog, on SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelyard.foundation.config import SqlSettings
from tests.support.dataset_catalog import DatasetCatalog, running_dataset_catalog
from tests.support.scheduling import Scheduler, running_scheduler, scheduler_settings
from tests.support.servers import Issuers


@pytest.fixture
async def dataset_catalog(tmp_path: Path) -> AsyncIterator[DatasetCatalog]:
    async with running_dataset_catalog(tmp_path) as catalog:
        yield catalog


@pytest.fixture
async def scheduler(tmp_path: Path, dataset_catalog: DatasetCatalog, issuers: Issuers) -> AsyncIterator[Scheduler]:
    sql = SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/scheduler.sqlite"))
    settings = scheduler_settings(tmp_path, sql, dataset_catalog.target, issuers)
    async with running_scheduler(settings, dataset_catalog, issuers) as running:
        yield running
