"""Walks a paginated list to its end."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

PAGE_SIZE = 500


def every(page: Callable[[str], tuple[list[Item], str]]) -> Iterator[Item]:
    """Each item of each page; `page(token)` answers the items and the next token."""
    token = ""
    while True:
        items, token = page(token)
        yield from items
        if not token:
            return


def lister(call: Callable[..., Any], method: Any, request: Any, field: str) -> Callable[[str], tuple[list[Any], str]]:
    """A page function for `every`: sets page_token on a copy of the request and takes `field` of the answer."""

    def page(token: str) -> tuple[list[Any], str]:
        asked = type(request)()
        asked.CopyFrom(request)
        asked.page_size, asked.page_token = PAGE_SIZE, token
        answer = call(method, asked)
        return list(getattr(answer, field)), answer.next_page_token

    return page
