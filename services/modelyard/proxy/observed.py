"""One call, counted, timed and logged once, whatever becomes of it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc import edge
from modelyard.proxy.service import Call, ClientGone, Outcome, Predictions, Refused, code_name


class Seen:
    """What the call came to, where that is not an error."""

    __slots__ = ("code",)

    def __init__(self) -> None:
        self.code = "OK"

    def answered(self, outcome: Outcome) -> None:
        self.code = code_name(outcome.code)


@contextmanager
def observed(predictions: Predictions, call: Call) -> Iterator[Seen]:
    """Closes `call` at the end; what nobody meant to show is logged and hidden."""
    seen = Seen()
    error: ModelyardError | None = None
    try:
        yield seen
    except (ClientGone, asyncio.CancelledError):
        seen.code = "CANCELLED"
        raise
    except Refused as refused:
        seen.answered(refused.outcome)
        raise
    except ModelyardError as refusal:
        error = refusal
        raise
    except Exception as unexpected:  # noqa: BLE001  # logged, and answered without its text
        error = edge.hide(unexpected, call.method.path)
        raise error from None
    finally:
        predictions.close(call, error, code=seen.code)
