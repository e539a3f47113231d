from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.buckets import own_bucket
from tests.support.catalog import RunningCatalog, running_catalog
from tests.support.seaweedfs import RunningStore


@pytest.fixture
async def catalog(tmp_path: Path, seaweedfs: RunningStore) -> AsyncIterator[RunningCatalog]:
    """A catalog of its own, with a bucket of its own in the embedded store."""
    with own_bucket(seaweedfs.store.settings) as settings:
        async with running_catalog(tmp_path, settings) as running:
            yield running
