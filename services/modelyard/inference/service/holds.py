"""Keeps the catalog told which versions the deployments use, so that nobody deletes them."""

import logging
from collections.abc import Callable
from dataclasses import replace

from modelyard.foundation.errors import Kind, ModelyardError
from modelyard.inference.domain.deployments import Hold
from modelyard.inference.service.ports import Catalog, Records

log = logging.getLogger(__name__)

_LATER = frozenset({Kind.UNAVAILABLE, Kind.DEADLINE, Kind.EXHAUSTED, Kind.INTERNAL, Kind.UNAUTHENTICATED, Kind.DENIED})
"""Answers that say nothing about the version."""


_ENDED = "EXECUTION_ENDED"
"""The catalog's reason: attempts go on only while an execution is open; attempt 0 opens a new one."""


class Holds:
    """An outbox: each row is sent until the catalog has answered, also after a crash in between."""

    def __init__(self, records: Records, catalog: Catalog) -> None:
        self._records = records
        self._catalog = catalog
        self.nudge_fleet: Callable[[], object] = lambda: None

    async def send(self) -> bool:
        """Sends what is unsettled; True when some of it has to be sent again at once."""
        again, weather = False, None
        for hold in await self._records.unsettled_holds():
            try:
                answer = await self._ask(hold)
            except ModelyardError as error:
                weather = error
                continue
            await self._records.answer_hold(hold, answer)
            again = again or answer.attempt != hold.attempt
            self.nudge_fleet()
        if weather is not None:
            raise weather
        return again

    async def _ask(self, hold: Hold) -> Hold:
        """What became of it; raises when the catalog cannot say."""
        try:
            if hold.closing:
                await self._catalog.end(hold)
                return replace(hold, settled=True, held=(), error="")
            await self._catalog.begin(hold)
            return replace(hold, settled=True, held=hold.inputs, error="")
        except ModelyardError as error:
            if error.kind in _LATER:
                raise
            if error.kind is Kind.CONFLICT:
                # The catalog has seen more attempts than this database, which may be an older copy.
                log.warning("attempt is older than the catalog's", extra={"deployment": hold.deployment})
                return replace(hold, attempt=hold.attempt + 1)
            if error.reason == _ENDED and hold.attempt:
                return replace(hold, attempt=0)
            log.warning("the catalog refuses", extra={"deployment": hold.deployment, "error": error.message})
            return replace(hold, error=error.message)
