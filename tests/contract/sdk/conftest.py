from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from modelyard.sdk import Client
from tests.support.buckets import own_bucket
from tests.support.catalog import RunningCatalog, running_catalog
from tests.support.seaweedfs import RunningStore


@pytest.fixture
async def catalog(tmp_path: Path, seaweedfs: RunningStore) -> AsyncIterator[RunningCatalog]:
    """A catalog of its own, with a bucket of its own in the embedded store."""
    with own_bucket(seaweedfs.store.settings) as settings:
        async with running_catalog(tmp_path, settings) as running:
            yield running


@pytest.fixture
def client(catalog: RunningCatalog) -> Iterator[Client]:
    """The SDK as an editor uses it. It blocks, and the catalog lives on this loop: call it in a thread."""
    with Client(catalog.address, token=catalog.issuers.token("editor", "default", "users/ann")) as client:
        yield client
