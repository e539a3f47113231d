"""Choose the Python, check, install; or see that nothing is to be done."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import checks, stamp
from .install import Environment, say, stop

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
DEFAULT_PORT = "8470"


def other_python() -> str:
    """A supported Python on PATH; "" if there is none that can make an environment."""
    for minor in range(checks.OLDEST[1], checks.NEWEST[1] + 1):
        found = shutil.which(f"python3.{minor}")
        question = [found or "", "-c", "import ensurepip, venv"]
        if found and subprocess.run(question, capture_output=True, check=False).returncode == 0:
            return found
    return ""


def change_python_if_needed() -> None:
    if checks.supported(sys.version_info[:2]):
        return
    version = platform.python_version()
    found = "" if os.environ.get("PYTHON") else other_python()
    if not found:
        stop(
            f"{sys.executable} is Python {version}; modelyard needs Python 3.11, 3.12 or 3.13. Install one "
            "(Debian, Ubuntu: apt-get install python3.11-venv), or name one: make … PYTHON=/path/to/python3.12"
        )
    say(f"{sys.executable} is Python {version}; taking {found}")
    os.execv(found, [found, "-m", "deploy.prepare", *sys.argv[1:]])


def chosen_extras(have: stamp.Stamp) -> str:
    """`EXTRAS` where it is set; else what is there already, so that `make test` does not undo `EXTRAS=gpu`."""
    extras = os.environ.get("EXTRAS", have.extras)
    if extras not in checks.DISK_GB:
        stop(f"EXTRAS={extras} is not known; leave it out, or use EXTRAS=gpu")
    return extras


def main() -> None:
    have = stamp.installed(VENV)
    keeps = have != stamp.Stamp() and not os.environ.get("PYTHON")
    if not keeps:
        change_python_if_needed()
    running = "{}.{}".format(*sys.version_info)
    python = have.python if keeps else running
    extras = chosen_extras(have)
    lock = ROOT / "deploy" / ("requirements-gpu.txt" if extras == "gpu" else "requirements.txt")
    wanted = stamp.wanted(lock, ROOT / "pyproject.toml", python, extras, ROOT)
    if have == wanted:
        return
    if python != running:
        own = str(VENV / "bin" / "python")
        # Python looks for itself by the name that it is called by, and on PATH where that is no path.
        os.execv(own, [own, "-m", "deploy.prepare", *sys.argv[1:]])
    port = os.environ.get("PORT") or DEFAULT_PORT
    problems = checks.problems(ROOT, extras, port if "--demo" in sys.argv else None)
    if problems:
        stop(*problems)
    turn = os.open(ROOT / "deploy", os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another set-up is at work in this folder; waiting for it")
        fcntl.flock(turn, fcntl.LOCK_EX)
        have = stamp.installed(VENV)
    if have != wanted:
        started = time.monotonic()
        Environment(ROOT).fill(wanted, have, lock)
        say(f"ready in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nset-up: stopped; run the same command again and it goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
