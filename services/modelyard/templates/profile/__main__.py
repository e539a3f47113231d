"""The process of a profile job: `python -m modelyard.templates.profile <work folder>/job.json`.

Exit status: 0 done, 1 failed (a `failed` message was the last), 75 the worker is gone.
"""

import errno
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from modelyard.job.channel import Channel, SilentChannel, SocketChannel
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.index import Index
from modelyard.job.messages import Failed, FailureClass, JobSpec, Prepared, Profiled, Progress
from modelyard.templates.profile import page
from modelyard.templates.profile.copies import CONTENT
from modelyard.templates.profile.profiling import profile

OUTPUT = "profile"
STATISTICS_FILE = "profile.json"
PAGE_FILE = "page.html"
EARLIER = "inputs/earlier"
SAY_EVERY_S = 0.5


def main(path: Path) -> int:
    """Run the job that `path` describes, in the folder that it lies in."""
    spec = JobSpec.load(path)
    os.chdir(path.resolve().parent)
    channel: Channel = SocketChannel(spec.fd) if spec.fd >= 0 else SilentChannel()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        channel.send(Profiled(_run(spec, channel)))
        status = 0
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker must hear of it
        text = traceback.format_exc()
        print(text, file=sys.stderr)
        channel.send(Failed(_failure(error), f"{type(error).__name__}: {error}"[:2000], text[-8000:]))
        status = 1
    channel.finish()
    return status


def _run(spec: JobSpec, channel: Channel) -> str:
    """Answers where the statistics are."""
    index = Index(Path(spec.dataset))
    earlier = {name: Path(EARLIER) / name.rpartition("/")[2] / CONTENT for name in spec.earlier_versions}
    channel.send(Prepared(0, sum(index.splits.values()), 0))
    folder = Path(spec.outputs) / OUTPUT
    found = profile(index, folder / CONTENT, spec.dataset_version, earlier, _reporting(channel))
    (folder / PAGE_FILE).write_text(page.render(index, found), encoding="utf-8")
    statistics = json.dumps(found.statistics, ensure_ascii=False, allow_nan=False, indent=1)
    (folder / STATISTICS_FILE).write_text(statistics, encoding="utf-8")
    return f"{spec.outputs}/{OUTPUT}/{STATISTICS_FILE}"


def _reporting(channel: Channel) -> Callable[[int, int], None]:
    began = said = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SAY_EVERY_S or done == total:
            said = now
            channel.send(Progress(done, total, 0, 0, done / max(now - began, 1e-6), {}))

    return progress


def _failure(error: Exception) -> FailureClass:
    if isinstance(error, DatasetUnsuitable):
        return FailureClass.INVALID_DATA
    if isinstance(error, MemoryError):
        return FailureClass.HOST_OOM
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return FailureClass.STORAGE if isinstance(error, OSError) and error.errno in full else FailureClass.INTERNAL


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of decoders can hang an orderly exit, and everything that matters is on disk and said.
    os._exit(status)
