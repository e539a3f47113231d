"""What a job came to: what it made, or why it failed, what to try, and the lines that say more."""

import re
import sys
from collections import deque
from collections.abc import Iterable, Mapping

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.cli.failures import FAILED
from modelyard.cli.output import console, metrics_text, plain, print_json, show_facts, state_text, to_json
from modelyard.sdk import Client
from modelyard.sdk.errors import from_status
from modelyard.sdk.jobs import State
from modelyard.sdk.names import short

LAST_LINES = 10
_LOOKED_AT = 400
_FRAME = '  File "'
"""Otherwise the detail is the end of the log."""
_TRACEBACK = "Traceback (most recent call last):"
_BETWEEN = ("During handling of the above exception", "The above exception was the direct cause")
_GREETING = re.compile(r"[IWE]\d{4} [\d:.]+ +\d+ |WARNING: All log messages before absl|TensorFlow [\d.]+\S*, Keras ")
_Class = job_pb2.Job.FailureClass

_ADVICE: dict[_Class.ValueType, str] = {
    _Class.FAILURE_CLASS_USER_CODE: "change the code and train again; --local runs it here, under your debugger",
    _Class.FAILURE_CLASS_INVALID_DATA: "modelyard datasets show {dataset} says what an example is claimed to be",
    _Class.FAILURE_CLASS_ACCELERATOR_OOM: "a smaller batch, smaller inputs, or a device with more memory",
    _Class.FAILURE_CLASS_HOST_OOM: "a smaller batch or network; of your own code: context.dataset reads from disk",
    _Class.FAILURE_CLASS_DIVERGED: "a smaller learning rate; the last good checkpoint is kept",
    _Class.FAILURE_CLASS_TIMEOUT: "give it more time, or fewer epochs",
    _Class.FAILURE_CLASS_WORKER_LOST: "modelyard workers list, then modelyard jobs attempts {job}",
    _Class.FAILURE_CLASS_STORAGE: "modelyard status says whether the store answers; then train again",
    _Class.FAILURE_CLASS_EXPORT_INVALID: "modelyard jobs outputs {job} ./evidence brings the model and what it failed",
    _Class.FAILURE_CLASS_INTERNAL: "a fault of modelyard: modelyard jobs logs {job} and the worker's log say more",
    _Class.FAILURE_CLASS_PIDS: "fewer processes and threads at a time, and wait for those that have ended",
    _Class.FAILURE_CLASS_DISK_QUOTA: "write less, and remove what is no longer needed",
    _Class.FAILURE_CLASS_SIGNAL: "a library crashed, or somebody ended it; --local runs it here, under your debugger",
    _Class.FAILURE_CLASS_SANDBOX_UNAVAILABLE: "modelyard doctor, on the worker's machine, says how to make it possible",
    _Class.FAILURE_CLASS_REQUIREMENTS: "correct requirements.txt and train again",
}
_TEMPLATES_OWN = frozenset({_Class.FAILURE_CLASS_EXPORT_INVALID, _Class.FAILURE_CLASS_INVALID_DATA})
"""Ends of a shipped template whose sentence says it all: its frames are not the user's code."""


def finish(client: Client, job: job_pb2.Job, *, as_json: bool) -> None:
    """Show how it ended; the exit status tells a script."""
    if as_json:
        print_json(to_json(job))
    else:
        show_outcome(client, job)
    if job.state != State.STATE_SUCCEEDED:
        sys.exit(FAILED)


def show_outcome(client: Client, job: job_pb2.Job) -> None:
    """What a job came to, with what to do next."""
    show_facts(
        [
            ("job", short(job.name)),
            ("state", state_text(State.Name(job.state))),
            ("model", short(job.model_version) if job.model_version else ""),
            ("answers", short(job.output_dataset_version) if job.output_dataset_version else ""),
            ("judged", short(job.spec.model_version) if job.evaluation else ""),
            ("metrics", metrics_text(_metrics(client, job).items())),
            ("why", job.error.message if job.HasField("error") else ""),
            ("try", advice(client, job)),
            ("next", _next(job)),
        ]
    )
    show_failure_lines(client, job)


def _metrics(client: Client, job: job_pb2.Job) -> Mapping[str, float]:
    """What an evaluation found; of other jobs the newest values."""
    recorded = client.models.evaluations(job.spec.model_version) if job.evaluation else ()
    found = next((each for each in recorded if each.name == job.evaluation), None)
    return found.metrics if found else job.progress.metrics


def advice(client: Client, job: job_pb2.Job) -> str:
    """What to try after a failure; empty where there is none."""
    text = _ADVICE.get(job.failure_class, "") if job.state == State.STATE_FAILED else ""
    if job.failure_class == _Class.FAILURE_CLASS_EXPORT_INVALID and not _has_evidence(client, job):
        own_code = bool(job.spec.package_version)
        text = _ADVICE[_Class.FAILURE_CLASS_USER_CODE] if own_code else "correct the model, and bring it again"
    if job.failure_class == _Class.FAILURE_CLASS_INVALID_DATA and job.spec.model_version:
        text = "modelyard models show {model} says what it takes, modelyard datasets show {dataset} what an example is"
    model = short(job.spec.model_version) if job.spec.model_version else ""
    return text.format(model=model, job=short(job.name), dataset=short(job.spec.dataset_version) or "NAME")


def _has_evidence(client: Client, job: job_pb2.Job) -> bool:
    return any(short(output.name) == "rejected" for output in client.lineage.outputs(job.name))


def show_failure_lines(client: Client, job: job_pb2.Job) -> None:
    """The frames of the user's own code, and what the job printed last."""
    if job.state != State.STATE_FAILED:
        return
    detail = from_status(job.error).facts.get("detail", "").strip("\n")
    frames = _FRAME in detail
    if _is_told_by(detail) and (job.spec.package_version or job.failure_class not in _TEMPLATES_OWN):
        console().print(plain(f"\n{detail}"), soft_wrap=True)
    lines = last_lines((entry.text for entry in client.jobs.logs(job.name)), traceback_shown=frames)
    if lines:
        console().print(f"\nthe last lines it printed (all: modelyard jobs logs {short(job.name)})", style="bold")
        console().print(plain("\n".join(lines)), soft_wrap=True)


def _is_told_by(detail: str) -> bool:
    """Whether a frame of it is the user's: modelyard's own alone say nothing that the sentence does not."""
    frames = [line for line in detail.splitlines() if line.startswith(_FRAME)]
    return any("/modelyard/job/" not in frame for frame in frames)


def last_lines(lines: Iterable[str], *, traceback_shown: bool) -> list[str]:
    """The end of a log without what says nothing: TensorFlow's greetings, and a traceback that was shown already."""
    said = (line for line in lines if line.strip() and not _GREETING.match(line))
    last = list(deque(said, maxlen=_LOOKED_AT))
    return (_without_tracebacks(last) if traceback_shown else last)[-LAST_LINES:]


def _without_tracebacks(lines: Iterable[str]) -> list[str]:
    kept, inside = [], False
    for line in lines:
        if line.startswith(_TRACEBACK):
            inside = True
        elif not inside and not line.startswith(_BETWEEN):
            kept.append(line)
        elif not line.startswith(" "):
            inside = False  # the line that names the exception is the last one of it
    return kept


def _next(job: job_pb2.Job) -> str:
    if job.state != State.STATE_SUCCEEDED:
        return ""
    if job.model_version:
        return f"modelyard deploy NAME --model {short(job.model_version)}"
    if job.output_dataset_version:
        return f"modelyard datasets pull {short(job.output_dataset_version)} FOLDER"
    return f"modelyard jobs outputs {short(job.name)} FOLDER" if job.evaluation else ""
