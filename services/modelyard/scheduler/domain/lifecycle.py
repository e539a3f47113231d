"""What happens to jobs and their attempts."""

from dataclasses import replace
from datetime import datetime, timedelta

from modelyard.scheduler.domain.devices import Device
from modelyard.scheduler.domain.events import AttemptCompleted
from modelyard.scheduler.domain.jobs import (
    RETRIED,
    Attempt,
    AttemptState,
    Failure,
    FailureClass,
    Job,
    JobState,
    StopReason,
)
from modelyard.scheduler.domain.turn import Turn
from modelyard.scheduler.domain.workers import Worker


def assign(turn: Turn, job: Job, worker: Worker, devices: tuple[Device, ...]) -> None:
    attempt = Attempt(job.name, job.attempt_number + 1, worker.name, worker.instance, devices, turn.now)
    turn.put_attempt(attempt)
    turn.put_job(replace(job, state=JobState.ASSIGNED, attempt=attempt, attempt_number=attempt.number, not_before=None))


def cancel(turn: Turn, job: Job) -> None:
    """At once while it is queued; otherwise its worker is asked to stop, and the job waits for that."""
    if job.attempt is None:
        end(turn, job, JobState.CANCELLED)
    elif job.state is not JobState.CANCELLING:
        ask_to_stop(turn, job, StopReason.CANCELLED, JobState.CANCELLING)


def preempt(turn: Turn, attempt: Attempt) -> None:
    """Asks an attempt to checkpoint and stop; its job goes on later."""
    job = turn.jobs[attempt.job]
    if attempt.stop is None:
        ask_to_stop(turn, job, StopReason.PREEMPTED, JobState.PREEMPTING)


def ask_to_stop(turn: Turn, job: Job, reason: StopReason, state: JobState) -> None:
    assert job.attempt is not None
    attempt = replace(job.attempt, stop=reason, stop_deadline=turn.now + turn.rules.stop_grace + turn.rules.lease)
    turn.put_attempt(attempt)
    turn.put_job(replace(job, state=state, attempt=attempt))


def moved(turn: Turn, attempt: Attempt, state: AttemptState) -> None:
    """The worker has the attempt, or its first training step has begun. Never backwards."""
    job = turn.jobs[attempt.job]
    before = attempt.state
    if state is AttemptState.RUNNING and before is not AttemptState.RUNNING:
        attempt = replace(attempt, state=AttemptState.RUNNING, start_time=turn.now)
    elif state is AttemptState.PREPARING and before is AttemptState.ASSIGNED:
        attempt = replace(attempt, state=AttemptState.PREPARING)
    else:
        return
    job = replace(job, attempt=attempt, prepare_time=job.prepare_time or turn.now)
    if attempt.state is AttemptState.RUNNING:
        job = replace(job, start_time=job.start_time or turn.now)
    if job.state in (JobState.ASSIGNED, JobState.PREPARING):
        job = replace(job, state=JobState(attempt.state))
    turn.put_attempt(attempt)
    turn.put_job(job)


def got_further(turn: Turn, attempt: Attempt, step: int) -> None:
    """A newer checkpoint than any before. Whoever gets further each time is not given up."""
    job = turn.jobs[attempt.job]
    if step > job.checkpoint_step:
        turn.put_job(replace(job, checkpoint_step=step, losses=0))


def completed(turn: Turn, attempt: Attempt, event: AttemptCompleted) -> None:
    """The worker says how the attempt ended."""
    job = turn.jobs[attempt.job]
    finished = replace(attempt, state=event.outcome, end_time=turn.now, failure=event.failure)
    turn.put_attempt(finished)
    if event.outcome is AttemptState.SUCCEEDED:
        end(
            turn,
            replace(
                job,
                start_time=job.start_time or turn.now,
                model_version=event.model_version,
                evaluation=event.evaluation,
                output_dataset_version=event.output_dataset_version,
            ),
            JobState.SUCCEEDED,
        )
    elif event.outcome is AttemptState.STOPPED:
        _stopped(turn, job, attempt)
    else:
        assert event.failure is not None
        _failed(turn, job, attempt, event.failure)


def lose(turn: Turn, attempt: Attempt, why: str, *, held: bool, at_once: bool = False) -> None:
    """Its worker has it no longer, or may not have it. `at_once`: the next attempt need not wait."""
    job = turn.jobs[attempt.job]
    failure = Failure(FailureClass.WORKER_LOST, why)
    turn.put_attempt(replace(attempt, state=AttemptState.LOST, end_time=turn.now, failure=failure, held=held))
    if attempt.stop is StopReason.PREEMPTED and job.state is JobState.PREEMPTING:
        requeue(turn, job)
    elif not stop_decides(turn, job, attempt):
        _retry(turn, job, failure, at_once=at_once)


def end_overdue(turn: Turn) -> None:
    """Jobs that ran or waited too long, and attempts that do not stop."""
    for job in list(turn.jobs.values()):
        if job.attempt is not None and job.attempt.stop_deadline is not None and turn.now >= job.attempt.stop_deadline:
            lose(turn, job.attempt, "it was asked to stop and did not", held=True)
        elif _passed(turn, job.prepare_time, job.max_runtime):
            _time_out(turn, job)
        elif (
            job.prepare_time is None and job.attempt is None and _passed(turn, job.create_time, job.max_queue_duration)
        ):
            end(turn, job, JobState.EXPIRED)


def end(turn: Turn, job: Job, state: JobState, failure: Failure | None = None) -> None:
    turn.put_job(replace(job, state=state, attempt=None, not_before=None, end_time=turn.now, failure=failure))


def requeue(turn: Turn, job: Job, wait: timedelta | None = None) -> None:
    turn.put_job(
        replace(job, state=JobState.QUEUED, attempt=None, not_before=turn.now + wait if wait is not None else None)
    )


def _stopped(turn: Turn, job: Job, attempt: Attempt) -> None:
    worker = turn.workers.get(attempt.worker)
    if stop_decides(turn, job, attempt):
        return
    if attempt.stop is StopReason.PREEMPTED or (worker is not None and (worker.leaving or worker.drained)):
        requeue(turn, job)
    else:
        _retry(turn, job, Failure(FailureClass.WORKER_LOST, "its worker stopped it without being asked to"))


def _failed(turn: Turn, job: Job, attempt: Attempt, failure: Failure) -> None:
    if stop_decides(turn, job, attempt):
        return
    if failure.kind not in RETRIED:
        end(turn, job, JobState.FAILED, failure)
    elif attempt.stop is StopReason.PREEMPTED:
        requeue(turn, job)
    else:
        _retry(turn, job, failure)


def stop_decides(turn: Turn, job: Job, attempt: Attempt) -> bool:
    """An attempt that was told to end for good has ended: however it ended, that is why."""
    if job.state is JobState.CANCELLING:
        end(turn, job, JobState.CANCELLED)
    elif attempt.stop is StopReason.TIMEOUT:
        end(turn, job, JobState.FAILED, _timeout(job))
    else:
        return False
    return True


def _retry(turn: Turn, job: Job, failure: Failure, *, at_once: bool = False) -> None:
    job = replace(job, losses=job.losses + 1)
    if job.losses >= job.max_attempts:
        times = "once" if job.losses == 1 else f"{job.losses} times"
        since = f" since the checkpoint of step {job.checkpoint_step}" if job.checkpoint_step else ""
        message = f"tried {times}{since}; the last time: {failure.message}"
        end(turn, job, JobState.FAILED, replace(failure, message=message))
    elif at_once:
        requeue(turn, job)
    else:
        rules = turn.rules
        wait = min(rules.backoff * 2 ** min(job.losses - 1, 16), rules.longest_backoff)
        requeue(turn, job, wait * turn.jitter)


def _time_out(turn: Turn, job: Job) -> None:
    if job.attempt is None:
        end(turn, job, JobState.FAILED, _timeout(job))
    elif job.attempt.stop is None:
        ask_to_stop(turn, job, StopReason.TIMEOUT, job.state)


def _timeout(job: Job) -> Failure:
    return Failure(FailureClass.TIMEOUT, f"it ran longer than its max_runtime of {job.max_runtime}")


def _passed(turn: Turn, since: datetime | None, limit: timedelta | None) -> bool:
    return since is not None and limit is not None and turn.now >= since + limit
