"""Fixtures that every test may ask for. What they start lives in tests/support."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from tests.support.background import in_background
from tests.support.buckets import own_bucket
from tests.support.minio import find_minio, running_minio
from tests.support.postgres import find_postgres, running_postgres
from tests.support.seaweedfs import RunningStore, running_seaweedfs
from tests.support.servers import Issuers

pytest_plugins = ("tests.support.side_by_side",)


@pytest.fixture
def issuers() -> Issuers:
    return Issuers()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that the session shares."""
    if find_postgres() is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def sql_settings(request: pytest.FixtureRequest, tmp_path: Path) -> SqlSettings:
    """An empty database of its own, on each of the two."""
    if request.param == "sqlite":
        return SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/db.sqlite"))
    server: str = request.getfixturevalue("postgres_url")
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return SqlSettings(url=SecretStr(server.replace("/postgres?", f"/{name}?")))


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    """The embedded object store, shared by the session."""
    with in_background(running_seaweedfs(tmp_path_factory.mktemp("seaweedfs"))) as running:
        yield running


@pytest.fixture(scope="session")
def minio_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Settings]:
    """A live MinIO, shared by the session."""
    if find_minio() is None:
        pytest.skip("MinIO is not installed (go install github.com/minio/minio@latest)")
    with in_background(running_minio(tmp_path_factory.mktemp("minio"))) as settings:
        yield settings


@pytest.fixture(params=["seaweedfs", "minio"])
async def object_store(request: pytest.FixtureRequest) -> AsyncIterator[S3Store]:
    """An empty bucket of its own, on each of the two stores."""
    if request.param == "minio":
        settings: S3Settings = request.getfixturevalue("minio_settings")
    else:
        settings = request.getfixturevalue("seaweedfs").store.settings
    with own_bucket(settings) as bucket:
        store = S3Store(bucket)
        await store.ensure_bucket()
        yield store
        store.close()
