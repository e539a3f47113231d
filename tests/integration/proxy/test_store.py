"""The object store behind the one address: signed URLs of a real store, made for the proxy's name."""

from pathlib import Path
from typing import Any

import urllib3

from modelyard.foundation.objectstore.s3 import S3Store
from tests.contract.proxy.stack import running_proxy

MIB = 1024 * 1024


def ask(method: str, url: str, body: bytes = b"", **headers: str) -> Any:
    return urllib3.request(method, url, body=body, headers=headers, retries=False)


async def test_parts_and_reads_go_through_the_proxy_under_its_own_name(object_store: S3Store, tmp_path: Path) -> None:
    settings = object_store.settings
    store = {"endpoint": settings.endpoint, "bucket": settings.bucket}
    part = bytes(range(256)) * 4096 * 6
    async with running_proxy(tmp_path, "auto", store=store) as stack:
        origin = f"http://{stack.address}"
        upload = await object_store.start_multipart("key with spaces/ü")
        signed = object_store.sign_upload_part("key with spaces/ü", upload, 1, origin=origin, ttl_s=60)

        put = ask("PUT", signed, part)
        assert put.status == 200
        parts = await object_store.list_parts("key with spaces/ü", upload)
        assert [(p.number, p.size) for p in parts] == [(1, len(part))]
        await object_store.complete_multipart("key with spaces/ü", upload, parts)

        url = object_store.sign_read("key with spaces/ü", origin=origin, ttl_s=60)
        got = ask("GET", url, Range=f"bytes={MIB}-{MIB + 9}")
        assert (got.status, got.data) == (206, part[MIB : MIB + 10])
        assert ask("PUT", signed, part).status in (403, 404)


async def test_what_is_not_signed_never_reaches_the_store(object_store: S3Store, tmp_path: Path) -> None:
    settings = object_store.settings
    store = {"endpoint": settings.endpoint, "bucket": settings.bucket}
    await object_store.put("secret", b"secret")
    async with running_proxy(tmp_path, "auto", store=store) as stack:
        origin = f"http://{stack.address}"
        url = object_store.sign_read("secret", origin=origin, ttl_s=60)
        plain, altered = url.partition("?")[0], url.replace("/secret", "/other")

        for path in (plain, f"{origin}/{settings.bucket}", f"{origin}/{settings.bucket}/"):
            answer = ask("GET", path)
            assert answer.status == 403
            assert answer.json() == {"error": "the store takes signed URLs only; ask the catalog for one"}
        assert ask("GET", altered).status == 403
        assert ask("DELETE", url).status == 403
        assert ask("GET", f"{origin}/another-bucket/x?X-Amz-Signature=1").status == 404


async def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    store = {"endpoint": "http://127.0.0.1:1", "bucket": "modelyard"}
    async with running_proxy(tmp_path, "auto", store=store) as stack:
        answer = ask("GET", f"http://{stack.address}/modelyard/x?X-Amz-Signature=1")

    assert answer.status == 503
    assert answer.json() == {"error": "the store service cannot be reached; try again in a moment"}
    assert answer.headers["retry-after"] == "1"
