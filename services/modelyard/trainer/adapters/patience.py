"""Calls of the catalog: what their failures mean for an attempt, and which of them pass by themselves."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from modelyard.foundation.errors import FailedPrecondition
from modelyard.sdk import errors as sdk_errors
from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass
from modelyard.trainer.errand import Errand
from modelyard.trainer.reporter import Reporter

T = TypeVar("T")

PATIENCE_S = 120.0
"""How long an attempt waits for a catalog or a store that is away, once it needs them."""
_RENEWALS = 3
"""So often it begins anew, after a call that went on for longer before it met the weather."""
_LONGEST_PAUSE_S = 5.0
_WEATHER = (sdk_errors.Unavailable, sdk_errors.DeadlineExceeded, sdk_errors.Unauthenticated)
"""Passes: a neighbour is started again, a token is renewed."""
_OVER = ("STALE_ATTEMPT", "EXECUTION_ENDED")
"""A newer attempt has begun, or the job has ended."""


async def patiently(
    patience_s: float, reporter: Reporter, call: Callable[[Errand], Awaitable[T]], *, counts: bool = False
) -> T:
    """The call's answer, waiting while the catalog or the store can't be reached; that may be for a while only."""
    since, pause, renewals = time.monotonic(), 0.5, _RENEWALS
    while True:
        called = time.monotonic()
        try:
            with translated():
                return await call(Errand(counts=counts))
        except _Weather as weather:
            now = time.monotonic()
            if now - called > patience_s and renewals:
                # It went well for so long: what it needs is away only now.
                since, pause, renewals = now, 0.5, renewals - 1
            if now - since > patience_s:
                raise
            reporter.line(f"{weather.message}; trying again")
            reporter.changed()
        await asyncio.sleep(pause)  # back-off between tries
        pause = min(pause * 2, _LONGEST_PAUSE_S)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """What a call of the client fails with becomes the attempt's end."""
    try:
        yield
    except sdk_errors.Aborted as error:
        if error.reason in _OVER:
            raise AttemptStopped from error
        raise _Weather(FailureClass.STORAGE, error.message) from error
    except sdk_errors.ResourceExhausted as error:
        kind = AttemptFailed if error.retry_after_s is None else _Weather
        raise kind(FailureClass.STORAGE, error.message) from error
    except _WEATHER as error:
        raise _Weather(FailureClass.STORAGE, f"the catalog or its store can't be used: {error.message}") from error
    except sdk_errors.NotFound as error:
        # Another try does not bring back what somebody has deleted.
        raise AttemptFailed(FailureClass.INVALID_DATA, error.message) from error
    except sdk_errors.DataLoss as error:
        raise AttemptFailed(FailureClass.STORAGE, error.message) from error
    except sdk_errors.ModelyardError as error:
        if error.reason in _OVER:
            raise AttemptStopped from error
        raise AttemptFailed(FailureClass.INTERNAL, f"the catalog refused: {error.message}") from error
    except FailedPrecondition as error:
        raise AttemptFailed(FailureClass.INVALID_DATA, error.message) from error


class _Weather(AttemptFailed):
    """A failure that passes by itself."""
