"""Waiting for a condition, never for a time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T | None]], *, timeout_s: float = ..., interval_s: float = ...
) -> T: ...


@overload
async def eventually(condition: Callable[[], T | None], *, timeout_s: float = ..., interval_s: float = ...) -> T: ...


async def eventually(condition: Callable[[], Any], *, timeout_s: float = 30.0, interval_s: float = 0.02) -> Any:
    """Calls `condition` until it returns something true, which is returned; an AssertionError counts as false."""
    deadline = time.monotonic() + timeout_s
    while True:
        failure: AssertionError | None = None
        result: Any = None
        try:
            answer = condition()
            result = await answer if inspect.isawaitable(answer) else answer
        except AssertionError as error:
            failure = error
        if failure is None and result:
            return result
        if time.monotonic() > deadline:
            raise failure or AssertionError(f"not true within {timeout_s:g} s: {inspect.getsource(condition).strip()}")
        await asyncio.sleep(interval_s)
