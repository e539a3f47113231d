"""What all requests have in common: their key, their page, and how they came here."""

from collections.abc import Callable, Iterable
from typing import Any

import grpc
from google.protobuf.message import Message

from modelyard.catalog.service.ports import RequestKey
from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PageTokens, clamp_page_size

Context = grpc.aio.ServicerContext[Any, Any]
Origin = Callable[[str, str], str]
"""(authority, scheme) of a call -> the `http://host:port` for which URLs are signed."""


def request_key(method: str, request: Message, request_id: str) -> RequestKey:
    """By which a retry is known: the same caller, method, ID and content."""
    return RequestKey(request_id, current_identity().subject, method, request.SerializeToString(deterministic=True))


class Page:
    """One page of a list: asks for one item more than shown, to know whether there is another page."""

    def __init__(
        self,
        tokens: PageTokens,
        method: str,
        parent: str,
        page_size: int,
        page_token: str,
        *,
        default: int = DEFAULT_PAGE_SIZE,
        largest: int = MAX_PAGE_SIZE,
    ) -> None:
        self._tokens = tokens
        self._scope = {"method": method, "parent": parent, "caller": current_identity().subject}
        self._size = clamp_page_size(page_size, default=default, largest=largest)
        position = tokens.decode(page_token, **self._scope)
        self._position = position[0] if position else None

    @property
    def limit(self) -> int:
        return self._size + 1

    @property
    def after(self) -> str:
        """The sort key of the last item shown, "" on the first page."""
        return "" if self._position is None else str(self._position)

    @property
    def number(self) -> int | None:
        """The same for lists in the order of numbers."""
        return None if self._position is None else int(self._position)

    def shown(self, items: list[Any]) -> list[Any]:
        return items[: self._size]

    def next_token(self, items: list[Any], key: Callable[[Any], str | int]) -> str:
        if len(items) <= self._size:
            return ""
        return self._tokens.encode([key(items[self._size - 1])], **self._scope)


def origin_of(context: Context, origin: Origin) -> str:
    """The name under which the caller reached us: the proxy hands `:authority` on, which gRPC itself does not show."""
    metadata: Iterable[tuple[str, Any]] = context.invocation_metadata() or ()
    found = {key: value for key, value in metadata if key in ("x-forwarded-host", "x-forwarded-proto")}
    return origin(str(found.get("x-forwarded-host", "")), str(found.get("x-forwarded-proto", "")))
