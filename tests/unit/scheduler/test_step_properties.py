"""Whatever happens, in whatever order: no device twice, no job lost, ended is ended, attempts only count up."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelyard.scheduler.domain.decisions import AttemptChanged, ExecutionEnded, JobChanged
from modelyard.scheduler.domain.devices import BESIDE, Ask, DeviceKind
from modelyard.scheduler.domain.errors import StaleAttempt, WorkerReplaced
from modelyard.scheduler.domain.events import (
    AttemptCompleted,
    AttemptMoved,
    CheckpointStored,
    Event,
    JobCancelled,
    JobSubmitted,
    Ticked,
    WorkerAway,
    WorkerCordoned,
    WorkerDrained,
    WorkerHeard,
    WorkerSynced,
    WorkerUncordoned,
)
from modelyard.scheduler.domain.jobs import ENDED, MOVES, AttemptState, Failure, FailureClass, Job, JobState
from modelyard.scheduler.domain.placement import survey
from modelyard.scheduler.domain.state import State
from modelyard.scheduler.domain.step import step
from tests.unit.scheduler.world import CPU, START, gpus, job_name

WORKERS = {"workers/a": CPU, "workers/b": CPU + gpus(2), "workers/c": gpus(4)}
ASKS = [Ask(), Ask(DeviceKind.CPU, 1), Ask(DeviceKind.GPU, 1), Ask(DeviceKind.GPU, 2), Ask(DeviceKind.GPU, 9), BESIDE]
OUTCOMES = [
    None,
    AttemptState.STOPPED,
    FailureClass.USER_CODE,
    FailureClass.PIDS,
    FailureClass.STORAGE,
    FailureClass.INTERNAL,
]


class Scheduling(RuleBasedStateMachine):
    """Workers here are simple but honest: `runs` is what each really runs, and it says so when it syncs."""

    @initialize()
    def begin(self) -> None:
        self.state = State()
        self.now = START
        self.submitted: dict[str, JobState] = {}
        self.numbers: dict[str, int] = {}
        self.held_inputs: set[str] = set()
        self.runs: dict[str, dict[str, AttemptState]] = {name: {} for name in WORKERS}
        self.instances = dict.fromkeys(WORKERS, 0)
        self.every_attempt: set[str] = set()
        for ask in ASKS:
            self.submit(ask, 0, None)

    def happen(self, event: Event) -> None:
        before = self.state
        self.state, decisions = step(before, event)
        for decision in decisions:
            if isinstance(decision, JobChanged):
                self._check_move(decision)
            elif isinstance(decision, AttemptChanged):
                attempt = decision.attempt
                if attempt.name not in self.every_attempt:
                    assert attempt.number > self.numbers.get(attempt.job, 0)
                    self.numbers[attempt.job] = attempt.number
                    self.every_attempt.add(attempt.name)
            elif isinstance(decision, ExecutionEnded):
                assert decision.job.ended
                self.held_inputs.remove(decision.job.name)

    def _check_move(self, decision: JobChanged) -> None:
        job = decision.job
        known = self.submitted.get(job.name)
        assert decision.before == known
        if known is not None:
            assert known not in ENDED
            assert job.state is known or job.state in MOVES[known]
        self.submitted[job.name] = job.state

    @rule(ask=st.sampled_from(ASKS), priority=st.integers(-1, 1), runtime=st.sampled_from([None, 30]))
    def submit(self, ask: Ask, priority: int, runtime: int | None) -> None:
        number = len(self.submitted) + 1
        limit = None if runtime is None else timedelta(seconds=runtime)
        job = Job(job_name(number), number, self.now, ask, priority, max_runtime=limit, max_queue_duration=limit)
        self.held_inputs.add(job.name)
        self.happen(JobSubmitted(now=self.now, job=job))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.state.jobs:
            self.happen(JobCancelled(now=self.now, job=data.draw(st.sampled_from(sorted(self.state.jobs)))))

    @rule(worker=st.sampled_from(sorted(WORKERS)), leaving=st.booleans())
    def sync(self, worker: str, leaving: bool) -> None:
        self._sync(worker, leaving)
        mine = {attempt.name: attempt for attempt in self.state.attempts_on(worker)}
        runs = self.runs[worker]
        for name in list(runs):
            if name not in mine or mine[name].stop is not None:
                del runs[name]
        for name, attempt in mine.items():
            if attempt.stop is None:
                runs.setdefault(name, AttemptState.PREPARING)

    @rule(worker=st.sampled_from(sorted(WORKERS)))
    def sync_without_reading_the_answer(self, worker: str) -> None:
        self._sync(worker, False)

    @rule(worker=st.sampled_from(sorted(WORKERS)))
    def a_partition_heals(self, worker: str) -> None:
        """What ran there ran on meanwhile, and the worker says so."""
        self.sync(worker, False)
        self.time_passes(25)
        self._sync(worker, False)

    @rule(worker=st.sampled_from(sorted(WORKERS)))
    def restart_worker(self, worker: str) -> None:
        self.instances[worker] += 1
        self.runs[worker].clear()
        self._sync(worker, False)

    @rule(worker=st.sampled_from(sorted(WORKERS)))
    def an_old_process_comes_back(self, worker: str) -> None:
        if self.instances[worker] and worker in self.state.workers:
            known = self.state.workers[worker]
            for old in known.replaced:
                with pytest.raises(WorkerReplaced):
                    self.happen(WorkerSynced(now=self.now, worker=worker, instance=old))
            assert self.state.workers[worker] is known

    @rule(worker=st.sampled_from(sorted(WORKERS)), kind=st.sampled_from([WorkerHeard, WorkerAway]))
    def connection(self, worker: str, kind: type[WorkerHeard] | type[WorkerAway]) -> None:
        if worker in self.state.workers and self.state.workers[worker].instance == str(self.instances[worker]):
            self.happen(kind(now=self.now, worker=worker, instance=str(self.instances[worker])))

    @rule(
        worker=st.sampled_from(sorted(WORKERS)), kind=st.sampled_from([WorkerCordoned, WorkerUncordoned, WorkerDrained])
    )
    def administer(
        self, worker: str, kind: type[WorkerCordoned] | type[WorkerUncordoned] | type[WorkerDrained]
    ) -> None:
        if worker in self.state.workers:
            self.happen(kind(now=self.now, worker=worker))

    @rule(data=st.data(), outcome=st.sampled_from(OUTCOMES))
    def complete(self, data: st.DataObject, outcome: AttemptState | FailureClass | None) -> None:
        worker = data.draw(st.sampled_from(sorted(WORKERS)))
        if not self.runs[worker]:
            return
        name = data.draw(st.sampled_from(sorted(self.runs[worker])))
        current = self.state.find_attempt(name)
        del self.runs[worker][name]
        failure = Failure(outcome, "it broke") if isinstance(outcome, FailureClass) else None
        if isinstance(outcome, FailureClass):
            outcome = AttemptState.FAILED
        event = AttemptCompleted(now=self.now, attempt=name, outcome=outcome or AttemptState.SUCCEEDED, failure=failure)
        self._unless_stale(current is None, event)

    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        if self.every_attempt:
            name = data.draw(st.sampled_from(sorted(self.every_attempt)))
            stale = self.state.find_attempt(name) is None
            self._unless_stale(stale, AttemptMoved(now=self.now, attempt=name, state=AttemptState.RUNNING))

    @rule(data=st.data(), step=st.integers(0, 5))
    def store_checkpoint(self, data: st.DataObject, step: int) -> None:
        if self.every_attempt:
            name = data.draw(st.sampled_from(sorted(self.every_attempt)))
            stale = self.state.find_attempt(name) is None
            before = self.state.jobs.get(name.rsplit("/attempts/", 1)[0])
            self._unless_stale(stale, CheckpointStored(now=self.now, attempt=name, step=step))
            if before is not None and not stale:
                after = self.state.jobs[before.name]
                assert after.checkpoint_step == max(before.checkpoint_step, step)
                assert after.losses == (0 if step > before.checkpoint_step else before.losses)

    @rule(seconds=st.sampled_from([0.5, 5, 15, 25, 60]))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.happen(Ticked(now=self.now))

    def _sync(self, worker: str, leaving: bool) -> None:
        event = WorkerSynced(
            now=self.now,
            worker=worker,
            instance=str(self.instances[worker]),
            devices=WORKERS[worker],
            attempts=tuple(self.runs[worker].items()),
            leaving=leaving,
        )
        self.happen(event)

    def _unless_stale(self, stale: bool, event: Event) -> None:
        before = self.state
        try:
            self.happen(event)
        except StaleAttempt:
            assert stale
            assert self.state is before
        else:
            assert not stale

    @invariant()
    def no_device_is_given_twice(self) -> None:
        taken = set()
        for attempt in (*self.state.running(), *self.state.held.values()):
            for device in attempt.devices:
                assert (attempt.worker, device.key) not in taken
                taken.add((attempt.worker, device.key))

    @invariant()
    def beside_jobs_have_no_device_and_a_worker_runs_one_at_a_time(self) -> None:
        beside = [attempt for attempt in (*self.state.running(), *self.state.held.values()) if not attempt.devices]
        assert len({attempt.worker for attempt in beside}) == len(beside)
        for attempt in self.state.running():
            assert bool(attempt.devices) != self.state.jobs[attempt.job].ask.beside

    @invariant()
    def jobs_with_devices_are_placed_and_told_as_if_there_were_no_beside_jobs(self) -> None:
        others = {name: job for name, job in self.state.jobs.items() if not job.ask.beside}
        held = {name: attempt for name, attempt in self.state.held.items() if attempt.devices}
        alone = survey(State(self.state.rules, others, self.state.workers, held), self.now)
        together = survey(self.state, self.now)
        assert alone.placements == tuple(one for one in together.placements if one.devices)
        assert alone.pending == {name: one for name, one in together.pending.items() if name in others}

    @invariant()
    def no_job_is_lost(self) -> None:
        assert {name for name, state in self.submitted.items() if state not in ENDED} == set(self.state.jobs)
        assert set(self.state.jobs) == self.held_inputs

    @invariant()
    def a_job_has_an_attempt_exactly_while_it_is_with_a_worker(self) -> None:
        for job in self.state.jobs.values():
            assert (job.attempt is None) == (job.state is JobState.QUEUED)
            assert job.attempt_number == self.numbers.get(job.name, 0)
            assert job.losses < job.max_attempts


Scheduling.TestCase.settings = settings(stateful_step_count=50, suppress_health_check=[HealthCheck.too_slow])
TestScheduling = Scheduling.TestCase
