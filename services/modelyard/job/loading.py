"""TensorFlow, imported without its greeting.

Its libraries write some lines to stderr as they are loaded (oneDNN is on, there is no CUDA driver, …), before their
logging heeds TF_CPP_MIN_LOG_LEVEL. These are left out; whatever else they write then arrives, a last word before a
crash too, for another process holds the pipe.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

_GREETINGS = (
    r"WARNING: All log messages before absl::InitializeLog\(\)",
    r"[IW]\d{4} .* (port|cudart_stub|cpu_feature_guard|computation_placer)\.cc:\d+\]",
    "To enable the following instructions: ",
)
_NO_DEVICE = r"E\d{4} .* cuda_(platform|executor|driver)\.cc:\d+\] failed call to cuInit: "
"""For a job that was given no GPU, all are hidden."""
_FILTER = """
import re, sys
greeting = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not greeting.match(line):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
"""


def load_tensorflow(devices: Sequence[str]) -> None:
    """Import it and let it find its devices. `devices` are the job's; what fails is raised."""
    has_gpu = any(device.startswith("gpu:") for device in devices)
    asked_for = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "0" or "TF_CPP_MAX_VLOG_LEVEL" in os.environ
    greeting = "|".join(_GREETINGS if has_gpu else (*_GREETINGS, _NO_DEVICE))
    with contextlib.nullcontext() if asked_for else _without(greeting):
        import tensorflow as tf

        tf.config.list_physical_devices("GPU")


@contextlib.contextmanager
def _without(greeting: str) -> Iterator[None]:
    """Leave out of stderr the lines that begin so."""
    kept = os.dup(2)
    try:
        passing = _passing(greeting, kept)
        if passing is None:
            yield
            return
        assert passing.stdin is not None
        sys.stderr.flush()
        os.dup2(passing.stdin.fileno(), 2)
        passing.stdin.close()
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            passing.wait()
    finally:
        os.close(kept)


def _passing(greeting: str, to: int) -> subprocess.Popen[bytes] | None:
    """The process that passes lines on; None where no other may be started, and all is shown then."""
    try:
        # In a session of its own: a Ctrl-C at the terminal is none of its business.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _FILTER, greeting],
            stdin=subprocess.PIPE,
            stdout=to,
            start_new_session=True,
        )
    except OSError:
        return None
