from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.foundation.echo_server import RULES, Serve
from tests.support.echo import EchoServicer, add_echo
from tests.support.servers import Issuers, Served, serving


@pytest.fixture
def servicer() -> EchoServicer:
    return EchoServicer()


@pytest.fixture
def serve(tmp_path: Path, issuers: Issuers, servicer: EchoServicer) -> Serve:
    def serve(rules: Any = RULES, **options: Any) -> AbstractAsyncContextManager[Served]:
        return serving(tmp_path, [(add_echo, servicer)], rules, issuers=issuers, **options)

    return serve
