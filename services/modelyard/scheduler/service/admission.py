"""Brings a job from its row to the queue, or undoes it: a crash in between loses nothing and leaks nothing.

The row comes first, not admitted and seen by nobody; then the catalog holds the inputs; then the job is in the queue
and the caller hears of it. What a crash or an unreachable catalog leaves half-way is undone by `undo_left_over`.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from modelyard.foundation.errors import Kind, ModelyardError, Unavailable
from modelyard.scheduler.domain.decisions import JobChanged
from modelyard.scheduler.domain.events import Event, JobSubmitted
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.domain.records import JobRecord
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.ports import Admitted, Catalog, Jobs, Unsettled

log = logging.getLogger(__name__)

SETTLED_AFTER = timedelta(seconds=15)
"""No call to the catalog takes longer: what it has not begun by then it will not begin."""


class Admission:
    def __init__(self, engine: Engine, jobs: Jobs, catalog: Catalog) -> None:
        self._engine = engine
        self._jobs = jobs
        self._catalog = catalog
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[JobRecord]] = set()

    async def admit(self, record: JobRecord) -> JobRecord:
        """Goes on to its end also when the caller is gone."""
        if record.name in self._busy:
            raise Unavailable(f"{record.name} is being created; call again in a moment")
        self._busy.add(record.name)
        task = asyncio.create_task(self._admit(record), name=f"admit {record.name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def undo_left_over(self) -> None:
        """Ends what nobody works on any more; its name is free again unless the catalog has seen it."""
        for record in await self._jobs.unadmitted(SETTLED_AFTER):
            if record.name in self._busy:
                continue
            self._busy.add(record.name)
            try:
                known = await self._catalog.end(record.name, 0, JobState.CANCELLED)
                await self._jobs.discard(record.name, burn=known)
                log.warning("the creation of a job was undone", extra={"job": record.name})
            finally:
                self._busy.discard(record.name)

    async def _admit(self, record: JobRecord) -> JobRecord:
        try:
            return await self._enqueue(await self._hold_inputs(record))
        finally:
            self._busy.discard(record.name)

    async def _hold_inputs(self, record: JobRecord) -> JobRecord:
        spec, inputs = record.spec, record.spec.inputs
        try:
            digests = await self._catalog.begin(
                record.name, list(inputs.values()), spec.output_dataset, weak=spec.kind.beside
            )
        except Unsettled as error:
            raise Unavailable("the catalog cannot be reached, so the job was not created; try again") from error
        except ModelyardError as error:
            await self._jobs.discard(record.name, burn=False)
            raise _gone(error, inputs) from None
        return replace(record, spec=record.spec.holding(digests))

    async def _enqueue(self, record: JobRecord) -> JobRecord:
        """Answers the job as it was stored: queued, or with a worker already."""
        times: list[datetime] = []

        def submitted(now: datetime, jitter: float) -> Event:
            times.append(now)
            return JobSubmitted(now=now, jitter=jitter, job=record.fresh())

        decisions = await self._engine.happen(submitted, Admitted(record.name, record.spec))
        changed = [one.job for one in decisions if isinstance(one, JobChanged) and one.job.name == record.name]
        return replace(
            record,
            state=changed[-1].state,
            attempt_number=changed[-1].attempt_number,
            update_time=times[-1],
            revision=record.revision + 1,
        )

    def _done(self, task: "asyncio.Task[JobRecord]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its caller may be gone: the exception is looked at here, so that asyncio does not complain.
            log.info("a job was not admitted", extra={"error": str(error)})


def _gone(error: ModelyardError, inputs: Mapping[str, str]) -> ModelyardError:
    """An input was there when the job was checked and cannot be held now: which field names it."""
    for field, version in inputs.items():
        if error.resource and f"{version}/".startswith(f"{error.resource}/"):
            error.field = f"job.spec.{field}"
            if error.kind is Kind.NOT_FOUND:
                error.message = f"{version} was deleted while the job was being created"
            return error
    error.field = f"job.spec.{next(iter(inputs))}" if len(inputs) == 1 else "job.spec"
    return error
