"""Jobs, as people use them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.errors import ModelyardError, NotFound
from modelyard.foundation.ids import new_uid, validate_id
from modelyard.scheduler.domain.errors import JobEnded, JobNotEnded, job_not_found
from modelyard.scheduler.domain.events import Event, JobCancelled
from modelyard.scheduler.domain.jobs import ENDED, Attempt, JobState
from modelyard.scheduler.domain.placement import Pending, Survey, survey
from modelyard.scheduler.domain.records import JobRecord, JobSpec, Progress
from modelyard.scheduler.service.admission import Admission
from modelyard.scheduler.service.changes import QUEUE, Changes
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.ports import Audit, Draft, RequestKey
from modelyard.scheduler.service.ports import Jobs as JobRows
from modelyard.scheduler.service.reports import Reports
from modelyard.scheduler.service.submission import Submission, check_labels
from modelyard.templates.specs import Template

WATCH_PERIOD_S = 0.2
"""A watcher hears of changes at most this often."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as it is shown: its row, how far it is now, why it waits."""

    record: JobRecord
    progress: Progress
    pending: Pending | None


@dataclass(frozen=True, slots=True)
class NewJob:
    project: str
    job_id: str
    spec: JobSpec
    display_name: str
    labels: dict[str, str]


class Jobs:
    def __init__(
        self,
        engine: Engine,
        rows: JobRows,
        submission: Submission,
        admission: Admission,
        reports: Reports,
        changes: Changes,
    ) -> None:
        self._engine = engine
        self._rows = rows
        self._submission = submission
        self._admission = admission
        self._reports = reports
        self._changes = changes
        self.on_deleted: Callable[[], None] = lambda: None
        """Called when the catalog has something to hear."""
        self._survey: tuple[object, float, Survey] | None = None

    async def create(self, caller: Identity, new: NewJob, key: RequestKey, *, validate_only: bool) -> JobView:
        """Durable when it answers. The same request again gets the job as it is now."""
        try:
            draft = await self._check(caller, new)
        except ModelyardError:
            # A retry is answered like the first time, even if its dataset was deleted since.
            done = await self._rows.find_request(key) if key.request_id and not validate_only else None
            if done is None:
                raise
            return self._view(done)
        if validate_only:
            return self._preview(draft)
        opened = await self._rows.open(draft, key, Audit.of(caller, "CreateJob", draft.name, key.request_id))
        if opened.admitted:
            return self._view(opened.record)
        return self._view(await self._admission.admit(opened.record))

    async def get(self, name: str) -> JobView:
        record = await self._rows.get(name)
        if record is None:
            raise job_not_found(name)
        return self._view(record)

    async def page(
        self, project: str, states: Sequence[JobState], before: int | None, limit: int, *, profiles: bool
    ) -> tuple[list[JobView], int | None]:
        """Newest first; and where the next page begins."""
        records = await self._rows.page(project, states, before, limit + 1, profiles=profiles)
        more = records[limit - 1].order if len(records) > limit else None
        return [self._view(record) for record in records[:limit]], more

    async def cancel(self, caller: Identity, name: str) -> JobView:
        """Again is fine while it is being cancelled; a job that has ended says so."""
        record = (await self.get(name)).record
        if record.state is JobState.CANCELLED:
            return self._view(record)
        if record.state in ENDED:
            raise _ended(record)

        def cancelled(now: datetime, jitter: float) -> Event:
            return JobCancelled(now=now, jitter=jitter, job=name)

        try:
            await self._engine.happen(cancelled, Audit.of(caller, "CancelJob", name))
        except NotFound:
            record = (await self.get(name)).record
            if record.state not in ENDED:
                raise
            # It has ended in this moment.
            raise _ended(record) from None
        return await self.get(name)

    async def delete(self, caller: Identity, name: str) -> None:
        record = (await self.get(name)).record
        if not await self._rows.delete(name, Audit.of(caller, "DeleteJob", name)):
            raise JobNotEnded(f"{name} is {record.state.lower()}; cancel it and wait for its end first", resource=name)
        self._reports.forget(name)
        self._changes.publish([name])
        self.on_deleted()

    async def watch(self, name: str) -> AsyncIterator[JobView]:
        """The job now and whenever it changes; ends with the job."""
        sent: JobView | None = None
        with self._changes.watch(name, QUEUE) as watch:
            while True:
                watch.look()
                view = await self.get(name)
                if view != sent:
                    yield view
                    sent = view
                if view.record.state in ENDED:
                    return
                await watch.changed()
                if watch.closed:
                    # The server ends its streams now; until it has, there is nothing to say.
                    await asyncio.Event().wait()
                await asyncio.sleep(WATCH_PERIOD_S)

    async def attempts(self, job: str, before: int | None, limit: int) -> tuple[list[tuple[Attempt, int]], int | None]:
        await self.get(job)
        attempts = await self._rows.attempts(job, before, limit + 1)
        more = attempts[limit - 1][0].number if len(attempts) > limit else None
        return list(attempts[:limit]), more

    def templates(self) -> tuple[Template, ...]:
        return self._submission.templates()

    def template(self, name: str) -> Template:
        """Raises TemplateUnknown, with the nearest name."""
        return self._submission.template(name)

    async def _check(self, caller: Identity, new: NewJob) -> Draft:
        job_id = new.job_id or f"job-{new_uid()[:12]}"
        validate_id(job_id, "job_id")
        check_labels(new.display_name, new.labels)
        spec = await self._submission.check(new.project, new.spec)
        name = f"projects/{new.project}/jobs/{job_id}"
        return Draft(name, new_uid(), spec, caller.subject, new.display_name, new.labels)

    def _view(self, record: JobRecord) -> JobView:
        progress = self._reports.progress(record.name) or record.progress
        if record.state is not JobState.QUEUED:
            return JobView(record, progress, None)
        return JobView(record, progress, self._surveyed().pending.get(record.name))

    def _preview(self, draft: Draft) -> JobView:
        """What the job would be."""
        now = self._engine.now()
        record = JobRecord(
            draft.name,
            "",
            0,
            draft.spec,
            JobState.QUEUED,
            draft.creator,
            now,
            now,
            0,
            draft.display_name,
            draft.labels,
        )
        return JobView(record, record.progress, None)

    def _surveyed(self) -> Survey:
        """What a survey says now; the same one serves everybody for a second, as long as nothing happens."""
        state, now = self._engine.state, time.monotonic()
        if self._survey is None or self._survey[0] is not state or now - self._survey[1] > 1.0:
            self._survey = (state, now, survey(state, self._engine.now()))
        return self._survey[2]


def _ended(record: JobRecord) -> JobEnded:
    return JobEnded(f"{record.name} has ended: {record.state.lower()}", resource=record.name, state=record.state)
