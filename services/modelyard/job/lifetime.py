"""A job from its first import to its result, in this process."""

import sys
from pathlib import Path

from modelyard.job.channel import Channel
from modelyard.job.messages import Hello, JobSpec, Stopped


def live(spec: JobSpec, folder: Path, channel: Channel, *, quiet: bool = True) -> int:
    """Run the job and say how it went; answers the exit status. `quiet`: no bars in the log.

    Only an error of this library itself, and what is no Exception (a Ctrl-C), leaves it.
    """
    import keras
    import tensorflow as tf

    from modelyard.job import code, failures, frames, hooks, running, session, training
    from modelyard.job.devices import bind

    code_folder = (folder / spec.code).resolve()
    context: session.Context | None = None
    try:
        devices = bind(spec.devices, spec.cpu_threads, deterministic=spec.deterministic)
        channel.send(Hello(tf.__version__, keras.__version__, devices))
        keras.utils.set_random_seed(spec.seed % (1 << 32))
        context = session.Context(spec, folder, channel)
        running.begin(context)
        hooks.install(context, quiet=quiet)
        code.run(code_folder, spec.entry, [folder / path for path in spec.site_packages])
        context.require_result()
    except training.Stopped:
        channel.send(Stopped(context.training.step if context else spec.resume_step))
        return 0
    except SystemExit as end:
        if end.code in (None, 0) and context is not None and context.finished:
            return 0
        channel.send(failures.ended_by_exit(end, code_folder))
        return 1
    except Exception as error:  # noqa: BLE001 - whatever the code raises is what the job ended with
        print(frames.of_code(error, code_folder), end="", file=sys.stderr)
        batch_size = context.training.position.batch_size if context is not None else 0
        channel.send(failures.describe(error, code_folder, batch_size))
        return 1
    finally:
        if context is not None:
            # The process ends without the writers' own end; what led to a failure is what people look for.
            try:
                context.keep_reports()
            except (OSError, tf.errors.OpError) as error:
                print(f"the last of what was reported is not kept: {error}", file=sys.stderr)
    return 0
