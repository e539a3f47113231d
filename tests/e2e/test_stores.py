"""An installation on an S3 store that somebody else runs: a live MinIO."""

from collections.abc import Iterator

import pytest

from modelyard.foundation.objectstore.s3 import S3Settings
from tests.support.stack import Stack, running_stack, write_digits

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def credentials(minio_settings: S3Settings) -> dict[str, str]:
    return {
        "MODELYARD_S3_ACCESS_KEY": minio_settings.access_key,
        "MODELYARD_S3_SECRET_KEY": minio_settings.secret_key.get_secret_value(),
        "MODELYARD_S3_BUCKET": "modelyard-e2e",
    }


@pytest.fixture(scope="module")
def on_minio(
    tmp_path_factory: pytest.TempPathFactory, minio_settings: S3Settings, credentials: dict[str, str]
) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("minio-stack")
    with running_stack(home, "--s3-endpoint", minio_settings.endpoint, environment=credentials) as stack:
        write_digits(stack.home / "digits", 200)
        yield stack


def test_data_goes_in_and_comes_back_by_urls_that_minio_accepts(on_minio: Stack) -> None:
    pushed = on_minio.json("datasets", "push", "digits", "digits")
    assert pushed["version"].endswith("/versions/1")
    on_minio.run("datasets", "pull", "digits", "pulled")
    for path in (on_minio.home / "digits").rglob("*.png"):
        assert (on_minio.home / "pulled" / path.relative_to(on_minio.home / "digits")).read_bytes() == path.read_bytes()
    assert on_minio.json("datasets", "push", "digits", "digits")["sent_bytes"] == 0


def test_status_says_which_store_it_is(on_minio: Stack, minio_settings: S3Settings) -> None:
    assert on_minio.json("status")["store"] == minio_settings.endpoint


def test_the_recorded_store_is_used_again_and_no_other(on_minio: Stack, minio_settings: S3Settings) -> None:
    on_minio.run("down")
    refused = on_minio.run(
        "up", "--detach", "--port", str(on_minio.port), "--s3-endpoint", "http://127.0.0.1:1", status=5
    )
    assert "STORE_CHANGED" in refused.stderr
    on_minio.run("up", "--detach", "--port", str(on_minio.port))
    assert [each["name"] for each in on_minio.json("datasets", "list")] == ["projects/default/datasets/digits"]


def test_an_endpoint_without_credentials_is_refused(on_minio: Stack, minio_settings: S3Settings) -> None:
    refused = on_minio.run("up", "--dir", "other", "--port", "8479", "--s3-endpoint", minio_settings.endpoint, status=5)
    assert "MODELYARD_S3_ACCESS_KEY" in refused.stderr
