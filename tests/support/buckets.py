"""A bucket for one test.

It is removed afterwards: SeaweedFS reserves volumes for each bucket, and some 170 of them are all that fit on a disk.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from minio import Minio
from minio.deleteobjects import DeleteObject

from modelyard.foundation.objectstore.s3 import S3Settings


@contextmanager
def own_bucket(store: S3Settings) -> Iterator[S3Settings]:
    """The store's settings with a name that no other test has; whoever uses it makes the bucket."""
    settings = store.model_copy(update={"bucket": f"test-{uuid.uuid4().hex}"})
    try:
        yield settings
    finally:
        _remove(settings)


def _remove(settings: S3Settings) -> None:
    client = Minio(
        urlsplit(settings.endpoint).netloc,
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        region=settings.region,
        secure=False,
    )
    if not client.bucket_exists(settings.bucket):
        return
    objects = client.list_objects(settings.bucket, recursive=True)
    names = [DeleteObject(each.object_name) for each in objects if each.object_name is not None]
    errors = list(client.remove_objects(settings.bucket, names))
    assert not errors, errors
    client.remove_bucket(settings.bucket)
