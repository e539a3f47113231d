"""Pages of a list: sizes, and tokens that only continue the list they came from."""

import base64
import hashlib
import hmac
import json
import secrets

from modelyard.foundation.errors import InvalidArgument

DEFAULT_PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000

Position = list[str | int]
"""Where the next page starts: the sort key of the last row shown."""


def clamp_page_size(page_size: int, *, default: int = DEFAULT_PAGE_SIZE, largest: int = MAX_PAGE_SIZE) -> int:
    """0 is the default; more than `largest` becomes `largest`; negative is refused (AIP-158)."""
    if page_size < 0:
        raise InvalidArgument("page_size must not be negative; leave it out for the default", field="page_size")
    return min(page_size or default, largest)


class PageTokens:
    """Makes and reads page tokens, bound by an HMAC to the list's own parameters.

    `secret` must be the same in every process and run that reads the token; give none and tokens live as long as
    this process.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)

    def encode(self, position: Position, **scope: str) -> str:
        """A token for the page after `position` of the list that `scope` (parent, filter, order_by) describes."""
        body = json.dumps(position, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._seal(body, scope) + body).decode().rstrip("=")

    def decode(self, token: str, **scope: str) -> Position | None:
        """The position a token carries, None for the first page."""
        if not token:
            return None
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise _forged() from None
        seal, body = sealed[:16], sealed[16:]
        if not hmac.compare_digest(seal, self._seal(body, scope)):
            raise _forged()
        position: Position = json.loads(body)
        return position

    def _seal(self, body: bytes, scope: dict[str, str]) -> bytes:
        context = json.dumps(scope, sort_keys=True).encode()
        return hmac.new(self._secret, context + b"\0" + body, hashlib.sha256).digest()[:16]


def _forged() -> InvalidArgument:
    return InvalidArgument(
        "page_token is not one this list gave out; pass next_page_token unchanged, with the same parent, filter "
        "and order_by",
        field="page_token",
    )
