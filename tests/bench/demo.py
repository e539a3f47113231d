"""What the whole demo costs once everything is set up: `python -m tests.bench demo`.

All of `make demo` in an empty folder, from the first process to the last (start, data in, three epochs, export and
gates, deployment, 10,000 predictions, stop), against a plain Keras script with the same network, data and epochs, in
memory.
"""

import re
import subprocess
import sys
import tempfile
import time

from tests.bench.embedded import EMBEDDED
from tests.bench.rows import Row, at_least, at_most_times
from tests.bench.training import plain
from tests.support.ports import free_port
from tests.support.stack import plain_environment

LEAST_ACCURACY = 0.985
_RIGHT = re.compile(r"^right answers\s+([\d,]+)/([\d,]+) ", re.MULTILINE)
_PHASES = re.compile(r"^time\s+(.+)$", re.MULTILINE)


def measure() -> list[Row]:
    """Seconds and accuracy, one pair."""
    began = time.perf_counter()
    script = plain("whole")
    script_s = time.perf_counter() - began
    print(f"  plain script {script_s:.0f} s, accuracy {script['accuracy']:.4f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as home:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.local.demo"],
            cwd=home,
            env=plain_environment() | EMBEDDED | {"CI": "true", "FRESH": "1", "PORT": str(free_port())},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        demo_s = time.perf_counter() - began
    right, phases = _RIGHT.search(done.stdout), _PHASES.search(done.stdout)
    if right is None:
        raise RuntimeError(f"the demo ended with {done.returncode}:\n{done.stdout}")
    if done.returncode:
        print(done.stdout, flush=True)
    accuracy = int(right[1].replace(",", "")) / int(right[2].replace(",", ""))
    print(f"  demo {demo_s:.0f} s, accuracy {accuracy:.4f}; {phases[1] if phases else ''}", flush=True)
    notes = {"exit_status": done.returncode, "phases": phases[1] if phases else ""}
    return [
        Row("demo after set-up", [demo_s], "s", [script_s], "plain Keras", at_most_times(1.5, 90, " s"), notes),
        Row(
            "its accuracy on the 10,000", [accuracy], "", [script["accuracy"]], "plain Keras", at_least(LEAST_ACCURACY)
        ),
    ]
