"""`python -m modelyard.local.gallery`. Environment: ROWS="adult bikeshare" picks; PUBLISH=1 makes what is reached the
published figures; SEEDS=3 tries three seeds where a row takes less than five minutes; PORT.

Exit status: 0 every row is as published, or reaches its aim where nothing is published yet; 1 a row has drifted or
failed; 3 there is no row of that name; 5 an installation can't be started here; 130 interrupted.
"""

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from modelyard.cli.failures import FAILED, WRONG_STATE, exit_status, show_failure
from modelyard.cli.gallery import number
from modelyard.cli.output import console, show_table
from modelyard.foundation.errors import ModelyardError as LocalError
from modelyard.local.demo.installation import Installation
from modelyard.local.demo.phases import Phases, say
from modelyard.local.folder import DataFolder
from modelyard.local.gallery.publishing import publish
from modelyard.local.gallery.running import Reached, Runner
from modelyard.local.up import Wanted
from modelyard.sdk import Client
from modelyard.sdk.errors import ModelyardError
from modelyard.sdk.gallery.rows import Row, Verdict, pick, read_rows

FOLDER = Path(".modelyard-gallery")
INTERRUPTED = 130
Outcome = tuple[Row, Reached | ModelyardError]


def main() -> int:
    """Run it; answers the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        rows = pick(read_rows(), os.environ.get("ROWS", "").split())
    except ModelyardError as error:
        show_failure(error)
        return exit_status(error)
    seeds = _seeds()
    installation = Installation(Wanted(FOLDER, _port()), f"modelyard down --dir {FOLDER}")
    outcomes: list[Outcome] = []
    try:
        _run(installation, rows, seeds, outcomes)
        status = 0
    except LocalError as error:
        print(f"error: {error.message} [{error.reason}]", file=sys.stderr)
        status = WRONG_STATE
    except (KeyboardInterrupt, SystemExit):
        say("interrupted; `make gallery` goes on from here")
        status = INTERRUPTED
    clean = installation.end()
    drifted = show_outcomes(outcomes, published=_publishes())
    return status or (FAILED if drifted or not clean else 0)


def _run(installation: Installation, rows: Sequence[Row], seeds: int, outcomes: list[Outcome]) -> None:
    phases = Phases(len(rows) + 1)
    with phases.next("installation"):
        address = installation.start()
    token = (installation.folder.root / "token").read_text().strip()
    with Client(address, token=token) as client:
        runner = Runner(client, say)
        for row in rows:
            with phases.next(f"{row.name}: {row.template}, {row.title}"):
                try:
                    reached = runner.reach(row, seeds)
                except ModelyardError as error:
                    # The others are worth knowing all the same.
                    show_failure(error)
                    outcomes.append((row, error))
                    continue
                say(f"{row.metric} {number(reached.figure)}: {row.judge(reached.figure)}")
                if reached.other_seeds:
                    say(f"other seeds {', '.join(map(number, reached.other_seeds))}")
                outcomes.append((row, reached))
                if _publishes():
                    publish(row.name, reached)


def show_outcomes(outcomes: Sequence[Outcome], *, published: bool) -> bool:
    """The table of what was reached, and what has drifted; answers whether anything has, or has failed."""
    drifted = []
    table = []
    for row, outcome in outcomes:
        if isinstance(outcome, ModelyardError):
            figure, said = "–", "failed"
            drifted.append(f"{row.name} failed: {outcome.message}")
        else:
            figure, said = number(outcome.figure), row.judge(outcome.figure)
            # Once it is published, a figure can't be far from itself; below the floor it stays wrong.
            if said.drifted and (not published or said is Verdict.FLOORED):
                drifted.append(f"{row.name} drifted: {row.metric} {figure}, {said} ({_measure(row)})")
        table.append((row.name, row.metric, figure, _measure(row), said))
    if table:
        show_table(("ROW", "METRIC", "REACHED", "EXPECTED", "VERDICT"), table)
    for line in drifted:
        console().print(line)
    return bool(drifted)


def _measure(row: Row) -> str:
    if row.published is not None:
        return f"{number(row.published.figure)} ± {number(row.tolerance)}"
    return "open" if row.aim is None else f"{'≥' if row.maximize else '≤'} {number(row.aim)}"


def _publishes() -> bool:
    return os.environ.get("PUBLISH") == "1"


def _seeds() -> int:
    text = os.environ.get("SEEDS", "1")
    if not text.isdigit() or int(text) < 1:
        sys.exit(f"SEEDS={text} is no number of seeds; choose 1 or more")
    return int(text)


def _port() -> int:
    """PORT, else the last one, else any that is free: this installation is nobody's but this program's."""
    text = os.environ.get("PORT", "")
    if text:
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            sys.exit(f"PORT={text} is not a port; choose a number from 1 to 65535")
        return int(text)
    with socket.create_server(("127.0.0.1", 0)) as free:
        return DataFolder(FOLDER).last_port() or int(free.getsockname()[1])


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
