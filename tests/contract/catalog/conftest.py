import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from modelyard.foundation.objectstore.s3 import S3Settings
from tests.support.catalog import Client, RunningCatalog, running_catalog
from tests.support.seaweedfs import RunningStore


@pytest.fixture
def s3_settings(seaweedfs: RunningStore) -> S3Settings:
    """A bucket of its own in the embedded store."""
    return seaweedfs.store.settings.model_copy(update={"bucket": f"test-{uuid.uuid4().hex}"})


@pytest.fixture
async def catalog(tmp_path: Path, s3_settings: S3Settings) -> AsyncIterator[RunningCatalog]:
    async with running_catalog(tmp_path, s3_settings) as running:
        yield running


@pytest.fixture
async def admin(catalog: RunningCatalog) -> Client:
    return await catalog.client()
