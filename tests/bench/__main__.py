"""Measures what is promised: `make bench`, or `python -m tests.bench [NAME …] [-o json]`.

Every figure is measured beside its floor in the same run, in interleaved pairs; the table has medians, and the smallest
and the largest in brackets. A bench informs: a target that is missed is said and does not fail; what can't be measured
does.
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.rows import Row

PAIRS = 7
"""Of what takes less than 30 seconds; what takes longer says its own number."""
BUDGET_S = 30 * 60

log = logging.getLogger("bench")


@dataclass(frozen=True, slots=True)
class Bench:
    """Some rows that are measured together."""

    about: str
    measure: Callable[[], list[Row]]
    programs: tuple[str, ...] = ()
    """What must be installed."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a bench: rows, or why there are none."""

    bench: str
    rows: Sequence[Row]
    seconds: float
    missing: str = ""


def _submit() -> list[Row]:
    from tests.bench import submit

    return asyncio.run(submit.measure(PAIRS))


def _proxy() -> list[Row]:
    from tests.bench import proxy

    return asyncio.run(proxy.measure(PAIRS, "auto"))


def _modelserver() -> list[Row]:
    from tests.bench import modelserver

    return modelserver.measure(PAIRS)


def _push() -> list[Row]:
    from tests.bench import push

    return push.measure()


def _steps() -> list[Row]:
    from tests.bench import training

    return training.measure()


def _inputs() -> list[Row]:
    from tests.bench import inputs

    return inputs.measure(PAIRS)


def _templates() -> list[Row]:
    from tests.bench import templates

    return templates.measure()


def _writing() -> list[Row]:
    from tests.bench import writing

    return writing.measure(PAIRS)


def _prediction() -> list[Row]:
    from tests.bench import prediction

    return prediction.measure()


def _sandbox() -> list[Row]:
    from tests.bench import sandbox

    return sandbox.measure(PAIRS)


def _owncode() -> list[Row]:
    from tests.bench import owncode

    return owncode.measure(PAIRS)


def _predicting() -> list[Row]:
    from tests.bench import predicting

    return predicting.measure(PAIRS)


def _profile() -> list[Row]:
    from tests.bench import profile

    return profile.measure(PAIRS)


def _demo() -> list[Row]:
    from tests.bench import demo

    return demo.measure()


# Each is imported when its turn comes: nobody who measures one needs what another imports.
BENCHES = {
    "submit": Bench("jobs that are submitted", _submit),
    "proxy": Bench("predictions on their way through the proxy", _proxy, ("h2load",)),
    "modelserver": Bench("predictions of the embedded model server", _modelserver, ("h2load",)),
    "push": Bench("a folder of 70,000 files", _push, ("tar",)),
    "inputs": Bench("data of each kind on its way into a training loop", _inputs),
    "steps": Bench("training steps", _steps),
    "templates": Bench("training steps of each template's networks", _templates),
    "writing": Bench("texts that are written in the graph", _writing),
    "prediction": Bench("predictions of a whole dataset", _prediction),
    "sandbox": Bench("programs in a sandbox, and their neighbours", _sandbox),
    "owncode": Bench("training code of one's own", _owncode),
    "predicting": Bench("many rows through the command line", _predicting),
    "profile": Bench("what is in a dataset, counted", _profile),
    "demo": Bench("the whole demo", _demo),
}


def main() -> int:
    """Exit status: 0 all was measured, whatever came of it; 1 some was not."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"by default all: {', '.join(BENCHES)}")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHES)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(BENCHES)}")
    began = time.monotonic()
    # Only the answer goes to stdout, whatever benches and their processes print.
    with open(os.dup(1), "w") as answer:  # noqa: PTH123 - a descriptor has no path
        os.dup2(2, 1)
        found = [_run(name) for name in BENCHES if name in (arguments.names or BENCHES)]
        seconds = time.monotonic() - began
        json_wanted = arguments.output == "json"
        text = json.dumps(_document(found, seconds), indent=1) if json_wanted else "\n".join(_report(found, seconds))
        print(text, file=answer)
    return 1 if any(each.missing for each in found) else 0


def _run(name: str) -> Found:
    bench = BENCHES[name]
    print(f"{name}: {bench.about}", flush=True)
    missing = [program for program in bench.programs if shutil.which(program) is None]
    if missing:
        return Found(name, (), 0.0, f"{', '.join(missing)} is not installed")
    began = time.monotonic()
    rows: list[Row] = []
    reason = ""
    try:
        rows = bench.measure()
    except Exception as error:
        log.exception("%s can't be measured", name)
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'see above'}"
    seconds = time.monotonic() - began
    print(f"  {seconds:.0f} s", flush=True)
    return Found(name, rows, seconds, reason)


def _document(found: Sequence[Found], seconds: float) -> dict[str, Any]:
    return {
        "machine": _machine(),
        "seconds": seconds,
        "rows": [{"bench": each.bench} | row.to_json() for each in found for row in each.rows],
        "not_measured": {each.bench: each.missing for each in found if each.missing},
    }


def _report(found: Sequence[Found], seconds: float) -> list[str]:
    rows = [(each.bench, row) for each in found for row in each.rows]
    head = ("bench", "row", "measured", "floor or peer", "ratio", "target", "")
    table = [head] + [(bench, *row.cells()) for bench, row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    machine = _machine()
    lines = ["", f"{machine['cores']} cores, {machine['cpu']}, load {machine['load']:.1f} at the end"]
    for line in table:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    lines += [
        f"{row.what}: " + ", ".join(f"{key} {_plain(value)}" for key, value in row.notes.items())
        for _, row in rows
        if row.notes
    ]
    lines += [f"{each.bench}: not measured: {each.missing}" for each in found if each.missing]
    missed = [row.what for _, row in rows if row.is_met is False]
    promised = sum(row.target is not None for _, row in rows)
    lines.append(
        f"{promised - len(missed)} of {promised} targets met" + (f"; missed: {', '.join(missed)}" * bool(missed))
    )
    over = "" if seconds <= BUDGET_S else f", more than the {BUDGET_S // 60} it may take"
    lines.append(f"{seconds / 60:.1f} minutes{over}")
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(each)}" for key, each in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _machine() -> dict[str, Any]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": models[0].partition(":")[2].strip() if models else "unknown CPU",
        "load": os.getloadavg()[0],
    }


if __name__ == "__main__":
    sys.exit(main())
