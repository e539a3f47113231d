from dataclasses import replace

import pytest

from modelyard.foundation.errors import Conflict, FailedPrecondition, NotFound, Unavailable
from modelyard.inference.domain.deployments import Hold, ModelVersion
from modelyard.inference.service.holds import Holds

NAME = "projects/p/deployments/d"
HOLD = Hold(NAME, 0, ("projects/p/models/m/versions/1",))


class ExecutionEnded(FailedPrecondition):
    reason = "EXECUTION_ENDED"


class MemoryRecords:
    """One row of the outbox."""

    def __init__(self, hold: Hold) -> None:
        self.hold = hold

    async def unsettled_holds(self) -> list[Hold]:
        return [] if self.hold.settled else [self.hold]

    async def answer_hold(self, asked: Hold, answer: Hold) -> None:
        if self.hold == asked:
            self.hold = answer


class ScriptedCatalog:
    """Answers with these errors first, and notes every call."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls: list[tuple[str, int]] = []

    async def model_version(self, name: str) -> ModelVersion:
        raise AssertionError(name)

    async def begin(self, hold: Hold) -> None:
        self._note("begin", hold)

    async def end(self, hold: Hold) -> None:
        self._note("end", hold)

    def _note(self, call: str, hold: Hold) -> None:
        self.calls.append((call, hold.attempt))
        if self.errors:
            raise self.errors.pop(0)


async def sent(hold: Hold, *errors: Exception) -> tuple[Hold, list[tuple[str, int]]]:
    """The row when there is nothing to send again at once, and the calls it took."""
    records, catalog = MemoryRecords(hold), ScriptedCatalog(*errors)
    holds = Holds(records, catalog)  # type: ignore[arg-type]
    while await holds.send():
        pass
    return records.hold, catalog.calls


async def test_a_hold_is_begun_and_ended() -> None:
    held, calls = await sent(HOLD)
    assert (held, calls) == (replace(HOLD, settled=True, held=HOLD.inputs), [("begin", 0)])
    ended, calls = await sent(replace(HOLD, attempt=4, held=HOLD.inputs, closing=True))
    assert (ended.settled, ended.held, calls) == (True, (), [("end", 4)])


async def test_what_the_catalog_cannot_say_now_is_asked_again_later() -> None:
    records, catalog = MemoryRecords(HOLD), ScriptedCatalog(Unavailable("away"))
    holds = Holds(records, catalog)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        await holds.send()
    assert records.hold == HOLD
    await holds.send()
    assert records.hold.settled


async def test_a_version_that_is_gone_is_an_error_of_the_deployment() -> None:
    held, _ = await sent(HOLD, NotFound("it was deleted"))
    assert (held.settled, held.error) == (False, "it was deleted")


async def test_a_catalog_that_saw_more_attempts_is_caught_up_with() -> None:
    held, calls = await sent(HOLD, Conflict("newer"), Conflict("newer"))
    assert (held.attempt, held.settled) == (2, True)
    assert calls == [("begin", 0), ("begin", 1), ("begin", 2)]


async def test_an_execution_that_ended_is_begun_anew() -> None:
    held, calls = await sent(replace(HOLD, attempt=3), ExecutionEnded("it has ended"))
    assert (held.attempt, held.settled) == (0, True)
    assert calls == [("begin", 3), ("begin", 0)]
