"""The process of one attempt: `python -m modelyard.job <work folder>/job.json`.

Exit status: 0 done or stopped, 1 failed (a `failed` message was the last), 75 the worker is gone.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

from modelyard.job.allocation import keep_freed
from modelyard.job.channel import Channel, SilentChannel, SocketChannel, stop_at_sigterm
from modelyard.job.devices import bind_environment
from modelyard.job.lifetime import live
from modelyard.job.loading import load_tensorflow
from modelyard.job.messages import Failed, FailureClass, JobSpec


def main(path: Path) -> int:
    """Run the job that `path` describes, in the folder that it lies in."""
    spec = JobSpec.load(path)
    folder = path.resolve().parent
    os.chdir(folder)
    # The socket first: from here on the worker's end is noticed, even while TensorFlow is being imported.
    channel: Channel = SocketChannel(spec.fd) if spec.fd >= 0 else SilentChannel()
    stop_at_sigterm(channel.stop)
    # A Ctrl-C in a terminal reaches the whole process group; the worker decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed()
    bind_environment(spec.devices)
    try:
        load_tensorflow(spec.devices)
        status = live(spec, folder, channel)
    except Exception:  # noqa: BLE001 - the last line of defence: the worker must hear of it
        text = traceback.format_exc()
        print(text, file=sys.stderr)
        channel.send(
            Failed(FailureClass.INTERNAL, "the job's own library failed; its log has the traceback", text[-8000:])
        )
        status = 1
    channel.finish()
    return status


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's threads can hang an orderly exit, and everything that matters is on disk and said.
    os._exit(status)
