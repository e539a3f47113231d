import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.proxy.stack import FRONTS, Stack, running_proxy
from tests.support.background import in_background


@pytest.fixture(scope="package", params=FRONTS)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A proxy that the tests of this folder share, on each of the two fronts."""
    with (
        tempfile.TemporaryDirectory(prefix="proxy-") as folder,
        in_background(running_proxy(Path(folder), request.param)) as stack,
    ):
        yield stack
