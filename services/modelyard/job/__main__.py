"""The process of one attempt: `python -m modelyard.job <work folder>/job.json`.

Exit status: 0 done or stopped, 1 failed (a `failed` message was the last), 75 the worker is gone.
"""

import os
import signal
import sys
import traceback
from pathlib import Path

from modelyard.job.channel import Channel, SilentChannel, SocketChannel
from modelyard.job.devices import bind, bind_environment
from modelyard.job.messages import Failed, FailureClass, Hello, JobSpec, Stopped


def main(path: Path) -> int:
    """Run the job that `path` describes, in the folder that it lies in."""
    spec = JobSpec.load(path)
    folder = path.resolve().parent
    os.chdir(folder)
    # The socket first: from here on the worker's end is noticed, even while TensorFlow is being imported.
    channel: Channel = SocketChannel(spec.fd) if spec.fd >= 0 else SilentChannel()
    signal.signal(signal.SIGTERM, lambda *_: channel.stop.set())
    # A Ctrl-C in a terminal reaches the whole process group; the worker decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bind_environment(spec.devices)
    try:
        status = _run(spec, folder, channel)
    except Exception:  # noqa: BLE001 - the last line of defence: the worker must hear of it
        text = traceback.format_exc()
        print(text, file=sys.stderr)
        channel.send(
            Failed(FailureClass.INTERNAL, "the job's own library failed; its log has the traceback", text[-8000:])
        )
        status = 1
    channel.finish()
    return status


def _run(spec: JobSpec, folder: Path, channel: Channel) -> int:
    import keras
    import tensorflow as tf

    from modelyard.job import code, failures, hooks, running, session, training

    code_folder = (folder / spec.code).resolve()
    context: session.Context | None = None
    try:
        devices = bind(spec.devices, spec.cpu_threads, deterministic=spec.deterministic)
        channel.send(Hello(tf.__version__, keras.__version__, devices))
        keras.utils.set_random_seed(spec.seed % (1 << 32))
        context = session.Context(spec, folder, channel)
        running.begin(context)
        hooks.install(context)
        code.run(code_folder, spec.entry)
        context.require_export()
    except training.Stopped:
        channel.send(Stopped(context.training.step if context else spec.resume_step))
        return 0
    except SystemExit as end:
        if end.code in (None, 0) and context is not None and context.exported:
            return 0
        channel.send(Failed(FailureClass.USER_CODE, f"the code ended the process with sys.exit({end.code!r})"))
        return 1
    except Exception as error:  # noqa: BLE001 - whatever the code raises is what the job ended with
        traceback.print_exception(error)
        channel.send(failures.describe(error, code_folder))
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    status = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    # TensorFlow's threads can hang an orderly exit, and everything that matters is on disk and said.
    os._exit(status)
