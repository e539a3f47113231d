import uuid
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, text

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings
from tests.support.buckets import own_bucket


@pytest.fixture(params=["sqlite+seaweedfs", "postgresql+minio"])
def backends(request: pytest.FixtureRequest, tmp_path: object) -> Iterator[tuple[SqlSettings, S3Settings]]:
    """An empty database and an empty bucket, on the embedded pair and on the grown one."""
    if request.param == "sqlite+seaweedfs":
        settings: S3Settings = request.getfixturevalue("seaweedfs").store.settings
        with own_bucket(settings) as bucket:
            yield SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/db.sqlite")), bucket
        return
    server: str = request.getfixturevalue("postgres_url")
    settings = request.getfixturevalue("minio_settings")
    name = f"test_{uuid.uuid4().hex}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    sql = SqlSettings(url=SecretStr(server.replace("/postgres?", f"/{name}?")))
    with own_bucket(settings) as bucket:
        yield sql, bucket
