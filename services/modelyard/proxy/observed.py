"""One call, counted, timed and logged once, whatever becomes of it."""

from typing import Self

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc import edge
from modelyard.proxy.codes import code_name
from modelyard.proxy.service import Call, ClientGone, Outcome, Predictions, Refused


class observed:  # used as `with observed(…)`; a generator would cost twice as much
    """Closes `call` at the end; what nobody meant to show is logged and hidden."""

    __slots__ = ("_call", "_code", "_predictions")

    def __init__(self, predictions: Predictions, call: Call) -> None:
        self._predictions = predictions
        self._call = call
        self._code = "OK"

    def __enter__(self) -> Self:
        return self

    def answered(self, outcome: Outcome) -> None:
        self._code = code_name(outcome.code)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        call = self._call
        match error:
            case None:
                self._predictions.close(call, code=self._code)
            case ModelyardError():
                self._predictions.close(call, error)
            case Refused():
                self._predictions.close(call, code=code_name(error.outcome.code))
            case Exception() if not isinstance(error, ClientGone):
                hidden = edge.hide(error, call.method.path)
                self._predictions.close(call, hidden)
                raise hidden from None
            case _:
                self._predictions.close(call, code="CANCELLED")
