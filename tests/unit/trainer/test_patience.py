"""How long an attempt waits for a catalog or a store that is away."""

import asyncio
from typing import Any, cast

import pytest

from modelyard.sdk.errors import Unavailable
from modelyard.trainer.adapters.patience import patiently
from modelyard.trainer.domain import AttemptFailed
from modelyard.trainer.errand import Errand
from modelyard.trainer.reporter import Reporter

PATIENCE_S = 0.2


class Transfer:
    """Each call takes so many seconds and then finds nobody, but for the last."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)

    async def __call__(self, errand: Errand) -> str:
        await asyncio.sleep(self.seconds.pop(0))  # the work of the call
        if self.seconds:
            raise Unavailable("nobody there")
        return "done"


def reporter() -> Reporter:
    return Reporter("projects/default/jobs/j/attempts/1", cast("Any", None))


async def test_what_has_long_gone_well_is_tried_again_when_it_breaks_off() -> None:
    assert await patiently(PATIENCE_S, reporter(), Transfer(2 * PATIENCE_S, 0)) == "done"


async def test_what_stays_away_is_given_up() -> None:
    with pytest.raises(AttemptFailed, match="nobody there"):
        await patiently(PATIENCE_S, reporter(), Transfer(0, 0, 0, 0))


async def test_what_breaks_off_again_and_again_is_given_up_too() -> None:
    transfer = Transfer(*[1.2 * PATIENCE_S] * 9)
    with pytest.raises(AttemptFailed, match="nobody there"):
        await patiently(PATIENCE_S, reporter(), transfer)
    assert len(transfer.seconds) == 5
