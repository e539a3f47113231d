from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from modelyard.foundation.objectstore.s3 import S3Settings
from tests.support.buckets import own_bucket
from tests.support.catalog import Client, RunningCatalog, running_catalog
from tests.support.seaweedfs import RunningStore


@pytest.fixture
def s3_settings(seaweedfs: RunningStore) -> Iterator[S3Settings]:
    """A bucket of its own in the embedded store."""
    with own_bucket(seaweedfs.store.settings) as settings:
        yield settings


@pytest.fixture
async def catalog(tmp_path: Path, s3_settings: S3Settings) -> AsyncIterator[RunningCatalog]:
    async with running_catalog(tmp_path, s3_settings) as running:
        yield running


@pytest.fixture
async def admin(catalog: RunningCatalog) -> Client:
    return await catalog.client()
