"""The object-store port, the same on the embedded store and on MinIO."""

import asyncio
import contextlib
import hashlib
import os
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from pydantic import SecretStr

from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from modelyard.foundation.objectstore.store import (
    CHUNK_BYTES,
    MIN_PART_BYTES,
    ObjectMissing,
    ObjectStore,
    Part,
    PartsDoNotFit,
    StoreRefused,
    StoreUnavailable,
    UploadMissing,
)

HTTP = urllib3.PoolManager(retries=False)
LARGE = os.urandom(MIN_PART_BYTES)


def origin_of(store: S3Store) -> str:
    return store.settings.endpoint


async def put_url(url: str, data: bytes) -> urllib3.BaseHTTPResponse:
    return await asyncio.to_thread(HTTP.request, "PUT", url, body=data)


async def get_url(url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    return await asyncio.to_thread(HTTP.request, "GET", url, headers=headers)


def test_the_adapter_fits_the_port(object_store: S3Store) -> None:
    port: ObjectStore = object_store
    assert port is object_store


async def test_bytes_come_back(object_store: S3Store) -> None:
    data = os.urandom(100_000)
    etag = await object_store.put("trees/a b/ü+%.bin", data)
    assert await object_store.read("trees/a b/ü+%.bin") == data
    info = await object_store.stat("trees/a b/ü+%.bin")
    assert (info.size, info.etag) == (len(data), etag)
    assert info.modify_time is not None
    assert info.modify_time.tzinfo is not None


async def test_an_empty_object_is_an_object(object_store: S3Store) -> None:
    await object_store.put("empty", b"")
    assert await object_store.read("empty") == b""
    assert (await object_store.stat("empty")).size == 0
    assert [chunk async for chunk in object_store.stream("empty")] == []


async def test_putting_again_replaces(object_store: S3Store) -> None:
    await object_store.put("k", b"one")
    await object_store.put("k", b"two!")
    assert await object_store.read("k") == b"two!"


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, None, b"0123456789"), (3, None, b"3456789"), (3, 4, b"3456"), (0, 1, b"0"), (8, 10, b"89"), (9, 1, b"9"),
     (0, 0, b""), (10, 5, b""), (50, 5, b"")],
)  # fmt: skip
async def test_ranges(object_store: S3Store, offset: int, length: int | None, expected: bytes) -> None:
    await object_store.put("k", b"0123456789")
    assert await object_store.read("k", offset, length) == expected
    assert b"".join([chunk async for chunk in object_store.stream("k", offset, length)]) == expected


async def test_a_large_object_streams_in_chunks(object_store: S3Store) -> None:
    await object_store.put("large", LARGE)
    chunks = [chunk async for chunk in object_store.stream("large", 7)]
    assert b"".join(chunks) == LARGE[7:]
    assert max(map(len, chunks)) <= CHUNK_BYTES


async def test_a_stream_may_be_left(object_store: S3Store) -> None:
    await object_store.put("large", LARGE)
    for _ in range(40):
        async for _chunk in object_store.stream("large"):
            break
    assert await object_store.read("large", 0, 10) == LARGE[:10]


async def test_a_missing_object_is_said(object_store: S3Store) -> None:
    with pytest.raises(ObjectMissing):
        await object_store.stat("nothing")
    with pytest.raises(ObjectMissing):
        await object_store.read("nothing")
    with pytest.raises(ObjectMissing):
        await anext(object_store.stream("nothing", 5, 5))


async def test_deleting_twice_is_deleting(object_store: S3Store) -> None:
    await object_store.put("k", b"x")
    for _ in range(2):
        await object_store.delete("k")
    with pytest.raises(ObjectMissing):
        await object_store.stat("k")


async def test_a_prefix_is_listed_in_order_and_across_pages(object_store: S3Store) -> None:
    keys = [f"packs/{number:04}" for number in range(1005)]
    for start in range(0, len(keys), 100):
        await asyncio.gather(*[object_store.put(key, b"x") for key in keys[start : start + 100]])
    await object_store.put("packs-other/1", b"xyz")
    assert [info.key async for info in object_store.list("packs/")] == keys
    assert [(info.key, info.size) async for info in object_store.list("packs-")] == [("packs-other/1", 3)]
    assert [info async for info in object_store.list("none/")] == []


async def test_parts_signed_for_a_client_become_an_object(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    bodies = [LARGE, LARGE[::-1], b"the last one may be small"]
    for number, body in enumerate(bodies, 1):
        url = object_store.sign_upload_part("pack", upload, number, origin=origin_of(object_store), ttl_s=60)
        assert (await put_url(url, body)).status == 200
    parts = await object_store.list_parts("pack", upload)
    assert [(part.number, part.size) for part in parts] == [(n, len(b)) for n, b in enumerate(bodies, 1)]
    assert parts[2].etag == hashlib.md5(bodies[2], usedforsecurity=False).hexdigest()
    await object_store.complete_multipart("pack", upload, parts)
    assert await object_store.read("pack") == b"".join(bodies)


async def test_a_part_sent_twice_counts_once(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    for body in (b"first", b"second", b"second"):
        part = await object_store.upload_part("pack", upload, 1, body)
    assert [each.number for each in await object_store.list_parts("pack", upload)] == [1]
    await object_store.complete_multipart("pack", upload, [part])
    assert await object_store.read("pack") == b"second"


async def test_completing_kills_the_urls(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    url = object_store.sign_upload_part("pack", upload, 1, origin=origin_of(object_store), ttl_s=60)
    assert (await put_url(url, b"mine")).status == 200
    await object_store.complete_multipart("pack", upload, await object_store.list_parts("pack", upload))
    assert (await put_url(url, b"later")).status in (403, 404)
    assert await object_store.read("pack") == b"mine"
    # SeaweedFS answers a second completion like the first one; MinIO knows no such upload any more.
    with contextlib.suppress(UploadMissing):
        await object_store.complete_multipart("pack", upload, [Part(1, "0" * 32, 4)])
    assert await object_store.read("pack") == b"mine"


async def test_aborting_kills_the_urls_and_leaves_nothing(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    url = object_store.sign_upload_part("pack", upload, 1, origin=origin_of(object_store), ttl_s=60)
    assert (await put_url(url, b"x")).status == 200
    for _ in range(2):
        await object_store.abort_multipart("pack", upload)
    assert (await put_url(url, b"x")).status in (403, 404)
    with pytest.raises(UploadMissing):
        await object_store.list_parts("pack", upload)
    with pytest.raises(ObjectMissing):
        await object_store.stat("pack")


async def test_completing_with_a_part_that_was_not_sent_is_refused(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    part = await object_store.upload_part("pack", upload, 1, b"x")
    for parts in ([part, Part(2, "0" * 32, 1)], [Part(1, "0" * 32, 1)]):
        with pytest.raises(PartsDoNotFit):
            await object_store.complete_multipart("pack", upload, parts)
    with pytest.raises(ObjectMissing):
        await object_store.stat("pack")


async def test_a_small_part_in_the_middle_is_refused(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    parts = [await object_store.upload_part("pack", upload, number, b"small") for number in (1, 2)]
    with pytest.raises(PartsDoNotFit):
        await object_store.complete_multipart("pack", upload, parts)


async def test_more_parts_than_a_page_are_listed(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    numbers = list(range(1, 1006))
    for start in range(0, len(numbers), 100):
        sent = [object_store.upload_part("pack", upload, number, b"x") for number in numbers[start : start + 100]]
        await asyncio.gather(*sent)
    assert [part.number for part in await object_store.list_parts("pack", upload)] == numbers
    await object_store.abort_multipart("pack", upload)


async def test_a_url_is_good_for_one_part_one_key_and_one_method(object_store: S3Store) -> None:
    upload = await object_store.start_multipart("pack")
    url = object_store.sign_upload_part("pack", upload, 1, origin=origin_of(object_store), ttl_s=60)
    for forged in (
        url.replace("partNumber=1", "partNumber=2"),
        url.replace("/pack?", "/other?"),
        url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        url.partition("?")[0] + f"?partNumber=1&uploadId={upload}",
    ):
        assert (await put_url(forged, b"x")).status in (400, 403), forged
    assert (await get_url(url)).status == 403
    assert await object_store.list_parts("pack", upload) == []
    await object_store.abort_multipart("pack", upload)


async def test_a_read_url_serves_ranges_and_expires(object_store: S3Store) -> None:
    await object_store.put("k", b"0123456789")
    url = object_store.sign_read("k", origin=origin_of(object_store), ttl_s=60)
    answer = await get_url(url, Range="bytes=2-4")
    assert (answer.status, answer.data) == (206, b"234")
    assert (await get_url(url)).data == b"0123456789"
    assert (await put_url(url, b"x")).status == 403
    # A signature's time is in whole seconds: this one may be as good as over when it is made.
    url = object_store.sign_read("k", origin=origin_of(object_store), ttl_s=1)

    async def expired() -> bool:
        return (await get_url(url)).status == 403

    for _ in range(100):
        if await expired():
            break
        await asyncio.sleep(0.1)
    assert await expired()
    assert await object_store.read("k") == b"0123456789"


async def test_a_url_holds_for_the_name_it_was_signed_for(object_store: S3Store) -> None:
    await object_store.put("k", b"x")
    endpoint = urlsplit(origin_of(object_store))
    public = f"http://modelyard.example:{endpoint.port}"
    url = object_store.sign_read("k", origin=public, ttl_s=60)
    assert url.startswith(public + "/")
    path = f"{origin_of(object_store)}{urlsplit(url).path}?{urlsplit(url).query}"
    assert (await get_url(path, Host=urlsplit(public).netloc)).data == b"x"
    assert (await get_url(path)).status == 403


def test_signing_needs_no_connection() -> None:
    store = S3Store(S3Settings(endpoint="http://127.0.0.1:1", access_key="a", secret_key=SecretStr("b" * 8)))
    url = store.sign_upload_part("k", "upload", 3, origin="https://modelyard.example", ttl_s=60)
    query = parse_qs(urlsplit(url).query)
    assert (query["partNumber"], query["uploadId"], query["X-Amz-Expires"]) == (["3"], ["upload"], ["60"])
    store.close()


async def test_a_store_that_is_away_is_unavailable() -> None:
    settings = S3Settings(endpoint="http://127.0.0.1:1", access_key="a", secret_key=SecretStr("b" * 8))
    store = S3Store(settings, retries=0)
    with pytest.raises(StoreUnavailable):
        await store.probe()
    store.close()


async def test_wrong_keys_are_refused(object_store: S3Store) -> None:
    for change in ({"access_key": "mallory"}, {"secret_key": SecretStr("wrong-secret")}):
        store = S3Store(object_store.settings.model_copy(update=change))
        with pytest.raises(StoreRefused):
            await store.probe()
        with pytest.raises(StoreRefused):
            await store.put("k", b"x")
        store.close()


async def test_a_bucket_is_made_once(object_store: S3Store) -> None:
    await asyncio.gather(*[object_store.ensure_bucket() for _ in range(4)])
    await object_store.probe()


async def test_probing_a_bucket_that_is_missing_says_so(object_store: S3Store) -> None:
    store = S3Store(object_store.settings.model_copy(update={"bucket": "no-such-bucket"}))
    with pytest.raises(StoreRefused):
        await store.probe()
    store.close()
