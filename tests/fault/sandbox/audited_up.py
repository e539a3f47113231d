"""`modelyard up` whose catalog and proxy note what they import, unpickle, load and open.

`python -m tests.fault.sandbox.audited_up HOOK up …`: HOOK is a folder made by `write_hook`. The settings and the code
of both processes are the product's own: Python imports the hook as it starts, also the one inside Envoy.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

AUDITED = ("catalog", "proxy")
_HOOK = """
import os, sys
_log = os.open({log!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

def _note(event, arguments):
    if event in ("import", "open", "pickle.find_class", "ctypes.dlopen"):
        what = ".".join(map(str, arguments[:2])) if event == "pickle.find_class" else arguments[0]
        what = os.fsdecode(what) if isinstance(what, bytes) else what
        os.write(_log, (f"{{os.getpid()}}\\t{{event}}\\t{{what}}".replace(chr(10), " ") + chr(10)).encode())

sys.addaudithook(_note)
"""


def write_hook(folder: Path) -> Path:
    """A folder for PYTHONPATH; answers the file that gets lines of process, event and what, with tabs between."""
    folder.mkdir()
    log = folder / "log"
    (folder / "sitecustomize.py").write_text(_HOOK.format(log=str(log)))
    return log


def main(hook: str, arguments: Sequence[str]) -> None:
    from modelyard.cli.__main__ import main as command_line
    from modelyard.local import up
    from modelyard.local.processes import plan

    def audited(*settings: Any) -> list[Any]:
        return [
            replace(process, environment={**process.environment, "PYTHONPATH": hook})
            if process.name in AUDITED
            else process
            for process in plan(*settings)
        ]

    vars(up)["plan"] = audited
    sys.argv = ["modelyard", *arguments]
    command_line()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
