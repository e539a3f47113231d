"""An installation of fakes for a real host."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.modelhost.stack import Installation, installed
from tests.support.servers import Issuers


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Sockets need short paths."""
    folder = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def installation(short_folder: Path, issuers: Issuers) -> AsyncIterator[Installation]:
    async with installed(short_folder, issuers) as there:
        yield there
