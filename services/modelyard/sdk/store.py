"""HTTP to the object store, by signed URLs only."""

import time
from collections.abc import Iterator

import urllib3

from modelyard.sdk.errors import DataLoss, PermissionDenied, Unavailable

_ROOM_RETRIES = 2


class _Patience(urllib3.Retry):
    """A store that is away may be back; one that says again that it failed has a reason, such as a full disk."""

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        failed = sum(each.status == 500 for each in self.history)
        return super().is_retry(method, status_code, has_retry_after) and (status_code != 500 or failed < _ROOM_RETRIES)


_RETRIES = _Patience(
    total=7,
    backoff_factor=0.3,
    backoff_max=4,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)
"""For some 16 s: a store that was killed is back by then."""
_CHUNK_BYTES = 1 << 20
_RESUMES = 6


class Store:
    """A pool of connections to wherever signed URLs point."""

    def __init__(self, ca_file: str = "") -> None:
        self._pool = urllib3.PoolManager(
            maxsize=16,
            retries=_RETRIES,
            timeout=urllib3.Timeout(connect=10, read=120),
            ca_certs=ca_file or None,
        )

    def put(self, url: str, data: bytes) -> None:
        """PUT one part. Raises PermissionDenied (URL_EXPIRED) when the URL is no longer valid, else Unavailable."""
        try:
            answer = self._pool.request("PUT", url, body=data, headers={"Content-Type": ""})
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the object store can't be reached: {_why(error)}", reason="STORE_UNREACHABLE") from None
        _check(answer.status, "a part")

    def get(self, url: str) -> bytes:
        """GET a whole object that fits into memory."""
        return b"".join(self.read(url, None))

    def get_range(self, url: str, offset: int, length: int) -> bytes:
        """GET bytes [offset, offset + length) of an object, which fit into memory."""
        try:
            answer = self._pool.request("GET", url, headers={"Range": f"bytes={offset}-{offset + length - 1}"})
        except urllib3.exceptions.HTTPError as error:
            raise Unavailable(f"the object store can't be reached: {_why(error)}", reason="STORE_UNREACHABLE") from None
        _check(answer.status, "an object")
        return answer.data

    def read(self, url: str, size: int | None) -> Iterator[bytes]:
        """GET an object in chunks, going on where a broken connection left off; `size` in bytes if it is known."""
        done = 0
        for attempt in range(_RESUMES):
            try:
                answer = self._pool.request(
                    "GET", url, headers={"Range": f"bytes={done}-"} if done else {}, preload_content=False
                )
                try:
                    _check(answer.status, "an object")
                    for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
                        done += len(chunk)
                        yield chunk
                finally:
                    answer.release_conn()
                if size is None or done == size:
                    return
                if done > size:
                    raise DataLoss(f"the store sent {done} bytes of a pack of {size}", reason="PACK_DAMAGED")
            except urllib3.exceptions.HTTPError as error:
                if attempt == _RESUMES - 1 or size is None:
                    raise Unavailable(
                        f"the object store broke off: {_why(error)}", reason="STORE_UNREACHABLE"
                    ) from None
            time.sleep(0.2 * 2**attempt)  # back-off between tries, not a wait for a condition
        raise DataLoss(f"the store sent {done} bytes of a pack of {size}", reason="PACK_DAMAGED")


def _check(status: int, what: str) -> None:
    if status in (200, 206):
        return
    if status == 403:
        raise PermissionDenied(f"the URL for {what} is no longer valid", reason="URL_EXPIRED")
    raise Unavailable(
        f"the object store answered {status} for {what}; its log says why, and a full disk is one of the reasons",
        reason="STORE_FAILED",
        facts={"status": str(status)},
    )


def _why(error: urllib3.exceptions.HTTPError) -> str:
    """Without the URL, whose signature is nobody's business."""
    return str(error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else error)
