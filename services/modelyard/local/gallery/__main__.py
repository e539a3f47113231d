"""`python -m modelyard.local.gallery`. Environment: ROWS="adult bikeshare" picks; PUBLISH=1 makes what is reached the
published figures; SEEDS=3 tries three seeds where a row takes less than five minutes; PORT.

Exit status: 0 every row is as published, on the same data, or reaches its aim where nothing is published yet; 1 a row
has drifted or failed, or one of these is wrong; 3 there is no row of that name; 5 an installation can't be started
here; 130 interrupted.
"""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from modelyard.cli.failures import FAILED, WRONG_STATE, exit_status, show_failure
from modelyard.cli.gallery import number
from modelyard.cli.output import console, show_table
from modelyard.foundation.errors import ModelyardError as LocalError
from modelyard.local.demo.installation import Installation
from modelyard.local.demo.phases import Phases, say
from modelyard.local.errors import PortTaken
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
    seeds, publishes = _seeds(), _publishes()
    installation = Installation(Wanted(FOLDER, _port()), f"modelyard down --dir {FOLDER}")
    outcomes: list[Outcome] = []
    try:
        _run(installation, rows, seeds, outcomes, publishes=publishes)
        status = 0
    except LocalError as error:
        print(f"error: {error.message} [{error.reason}]", file=sys.stderr)
        if isinstance(error, PortTaken):
            print("hint: with make it is `make gallery PORT=…`", file=sys.stderr)
        status = WRONG_STATE
    except (KeyboardInterrupt, SystemExit):
        say("interrupted; `make gallery` goes on from here")
        status = INTERRUPTED
    clean = installation.end()
    drifted = show_outcomes(outcomes, published=publishes)
    return status or (FAILED if drifted or not clean else 0)


def _run(
    installation: Installation, rows: Sequence[Row], seeds: int, outcomes: list[Outcome], *, publishes: bool
) -> None:
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
                if publishes:
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
            drifted += _drifts(row, outcome, published=published)
        table.append((row.name, row.metric, figure, _measure(row), said))
    if table:
        show_table(("ROW", "METRIC", "REACHED", "EXPECTED", "VERDICT"), table)
    for line in drifted:
        console().print(line)
    return bool(drifted)


def _drifts(row: Row, reached: Reached, *, published: bool) -> Iterator[str]:
    """What somebody should look at, a line each."""
    for seed, figure in enumerate((reached.figure, *reached.other_seeds)):
        said = row.judge(figure)
        # What became better may be a leak, which seed 0 tells. Once it is published, a figure can't be far from itself;
        # below the floor it stays wrong.
        looks = said.drifted and not (seed and said is Verdict.BETTER)
        if looks and (not published or said is Verdict.FLOORED):
            where = f" with seed {seed}" if seed else ""
            yield f"{row.name} drifted{where}: {row.metric} {number(figure)}, {said} ({_measure(row)})"
    if row.published is not None and row.published.dataset != reached.dataset and not published:
        yield f"{row.name} drifted: {row.dataset} is other data than the published figure's"


def _measure(row: Row) -> str:
    if row.published is not None:
        return f"{number(row.published.figure)} ± {number(row.tolerance)}"
    return "open" if row.aim is None else f"{'≥' if row.maximize else '≤'} {number(row.aim)}"


def _publishes() -> bool:
    text = os.environ.get("PUBLISH", "")
    if text not in ("", "0", "1"):
        sys.exit(f"PUBLISH={text} is neither 0 nor 1; PUBLISH=1 makes what is reached the published figures")
    return text == "1"


def _seeds() -> int:
    text = os.environ.get("SEEDS") or "1"
    if not text.isdigit() or int(text) < 1:
        sys.exit(f"SEEDS={text} is no number of seeds; choose 1 or more")
    return int(text)


def _port() -> int:
    """PORT, else the last one if it is free, else any: this installation is nobody's but this program's."""
    text = os.environ.get("PORT", "")
    if text:
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            sys.exit(f"PORT={text} is not a port; choose a number from 1 to 65535")
        return int(text)
    try:
        return _free(DataFolder(FOLDER).last_port() or 0)
    except OSError:
        return _free(0)


def _free(port: int) -> int:
    """That port, any where it is 0. Raises OSError where somebody has it."""
    with socket.create_server(("127.0.0.1", port)) as free:
        return int(free.getsockname()[1])


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
