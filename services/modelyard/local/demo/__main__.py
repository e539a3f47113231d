"""`python -m modelyard.local.demo`. Environment: PORT, FRESH=1 trains again, CI=true stops everything at the end.

Exit status: 0 all well; 1 a phase failed, too few right answers, or something was left behind; 5 an installation can't
be started here; 130 interrupted; others as `modelyard` has them.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from modelyard.cli.failures import FAILED, WRONG_STATE, exit_status, show_failure
from modelyard.foundation.errors import ModelyardError as LocalError
from modelyard.local.demo import LEAST_ACCURACY
from modelyard.local.demo.closing import show_next, show_table
from modelyard.local.demo.data import bring, held_out
from modelyard.local.demo.installation import Installation
from modelyard.local.demo.phases import Phases, say
from modelyard.local.demo.predictions import ask
from modelyard.local.demo.samples import write_samples
from modelyard.local.demo.serving import serve
from modelyard.local.demo.training import train
from modelyard.local.errors import PortTaken
from modelyard.local.folder import DataFolder
from modelyard.local.up import DEFAULT_PORT, Wanted
from modelyard.sdk import Client
from modelyard.sdk.discovery import DATA_FOLDER
from modelyard.sdk.errors import ModelyardError

INTERRUPTED = 130


def main() -> int:
    """Run it; answers the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    keep = sys.stdout.isatty() and os.environ.get("CI", "").lower() not in ("1", "true")
    installation = Installation(Wanted(Path(DATA_FOLDER), _port()))
    try:
        status = _run(installation, fresh=os.environ.get("FRESH") == "1", keep=keep)
    except ModelyardError as error:
        show_failure(error)
        status = exit_status(error)
    except LocalError as error:
        print(f"error: {error.message} [{error.reason}]", file=sys.stderr)
        if isinstance(error, PortTaken):
            print("hint: with make it is `make demo PORT=…`", file=sys.stderr)
        status = WRONG_STATE
    except KeyboardInterrupt:
        say("interrupted; `make demo` goes on from here")
        status = INTERRUPTED
    if keep:
        if status == INTERRUPTED and installation.is_up():
            say("the installation stays up; stop it: make demo-down")
        return status
    return status if installation.end() else status or FAILED


def _run(installation: Installation, *, fresh: bool, keep: bool) -> int:
    phases = Phases(5)
    with phases.next("installation"):
        address = installation.start()
    # The demo is about the installation just started, whatever the user's own settings point to.
    token = (installation.folder.root / "token").read_text().strip()
    with Client(address, token=token) as client:
        with phases.next("data"):
            version = bring(client)
        with phases.next("training"):
            job = train(client, version, fresh=fresh)
        with phases.next("deployment"):
            deployment = serve(client, job.model_version)
        with phases.next("predictions"):
            answers = ask(client, held_out())
        spec = client.datasets.input_spec(version)
    show_table(spec, job, deployment, answers, phases)
    if keep:
        show_next(address, write_samples(Path(DATA_FOLDER) / "demo", held_out()))
    if answers.accuracy < LEAST_ACCURACY:
        say(f"{answers.accuracy:.4f} of the answers are right; {LEAST_ACCURACY} were expected")
        return FAILED
    return 0


def _port() -> int:
    text = os.environ.get("PORT") or str(DataFolder(Path(DATA_FOLDER)).last_port() or DEFAULT_PORT)
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        sys.exit(f"PORT={text} is not a port; choose a number from 1 to 65535")
    return int(text)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
