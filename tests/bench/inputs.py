"""How fast each kind of data comes to a training loop: `python -m tests.bench inputs`.

Examples a second of the second epoch, in batches of 32 and in a new order, from a prepared dataset and from a plain
tf.data script on local files with its cache; nobody trains on them. An epoch has 20,000 examples or more. A process for
each kind of data measures both.
"""

import json
import subprocess
import sys
from dataclasses import dataclass

from tests.bench.rows import Row, at_least_times
from tests.support.stack import plain_environment


@dataclass(frozen=True, slots=True)
class Inputs:
    """A set of the gallery and what its examples are."""

    what: str
    name: str


KINDS = (
    Inputs("image files (PNG, 64 × 64)", "emoji"),
    Inputs("images in IDX files (28 × 28)", "mnist"),
    Inputs("texts (CSV)", "sentiment"),
    Inputs("table rows (14 columns, CSV)", "adult"),
    Inputs("sounds (WAV, 1 s)", "prompts"),
    Inputs("videos (GIF, 10 frames of 48 × 48)", "motions"),
    Inputs("interactions (CSV)", "movielens-ratings"),
)


def measure(pairs: int) -> list[Row]:
    """Examples a second."""
    rows = []
    for kind in KINDS:
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.inputs_measured", kind.name, str(pairs)],
            env=plain_environment() | {"TF_CPP_MIN_LOG_LEVEL": "2"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{kind.name} ended with {done.returncode}:\n{done.stderr}")
        found = json.loads(done.stdout.splitlines()[-1])
        print(f"  {kind.what}: {found}", flush=True)
        notes = {"until the first batch of an epoch, ms": found["start_ms"]}
        rows.append(Row(kind.what, found["ours"], "/s", found["plain"], "plain tf.data", at_least_times(0.9), notes))
    return rows
