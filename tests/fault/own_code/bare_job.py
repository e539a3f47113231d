"""A job's process without TensorFlow: `python -S bare_job.py job.json` runs the package's script, as anybody could.

The script finds `say(kind, **values)` to speak to the worker, the socket itself as `worker`, `export()` and `spec`.
"""

import json
import runpy
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

spec = json.loads(Path(sys.argv[1]).read_text())
worker = socket.socket(fileno=spec["fd"])


def say(kind: str, **values: Any) -> None:
    worker.sendall(json.dumps({kind: values}).encode() + b"\n")


def export(**metrics: float) -> None:
    Path("model").mkdir()
    Path("model/saved_model.pb").write_text("a model")
    say("exported", path="model", metrics=metrics)


say("hello", tensorflow="none", keras="none", devices=["cpu"])
try:
    script = Path(spec["code"], f"{spec['entry']}.py")
    runpy.run_path(str(script), {"say": say, "worker": worker, "export": export, "spec": spec}, "__main__")
except BaseException as error:
    traceback.print_exc()
    message = f"{type(error).__name__}: {error}"
    say("failed", failure_class="USER_CODE", message=message, traceback=traceback.format_exc())
    raise SystemExit(1) from error
