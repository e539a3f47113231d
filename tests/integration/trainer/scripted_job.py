"""A job's process that does what a test says: `python scripted_job.py job.json`.

The parameter `script` is a list of steps, each a list of a word and its arguments.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

spec = json.loads(Path(sys.argv[1]).read_text())
worker = socket.socket(fileno=spec["fd"])
heard = worker.makefile("rb")


def say(kind: str, **values: Any) -> None:
    worker.sendall(json.dumps({kind: values}).encode() + b"\n")


def checkpoint(step: int) -> None:
    folder = Path("checkpoints") / str(step)
    folder.mkdir()
    (folder / "state").write_text(str(step))
    say("checkpoint", step=step, path=str(folder.resolve()))


def hear(kind: str) -> None:
    """Wait until the worker says it."""
    while kind not in json.loads(heard.readline()):
        continue


for word, *arguments in spec["parameters"]["script"]:
    match word:
        case "say":
            say(arguments[0], **arguments[1])
        case "raw":
            worker.sendall(arguments[0].encode())
        case "prepared":
            say("prepared", steps_per_epoch=10, total_steps=100, batch_size=32)
        case "checkpoint":
            checkpoint(*arguments)
        case "export":
            Path("model").mkdir()
            Path("model/saved_model.pb").write_text("a model")
            say("exported", path=str(Path("model").resolve()), metrics={"accuracy": 0.5})
        case "hear":
            hear(*arguments)
        case "stopped":
            say("stopped", step=arguments[0])
        case "print":
            print(*arguments, flush=True)
        case "environment":
            print(json.dumps(dict(os.environ)), flush=True)
        case "flood":
            block = b"step 12345 loss 0.123456\n" * 1000
            until = time.monotonic() + arguments[0]
            while time.monotonic() < until:
                os.write(1, block)
        case "write":
            Path(arguments[0]).parent.mkdir(parents=True, exist_ok=True)
            Path(arguments[0]).write_text(arguments[1])
        case "link":
            Path(arguments[0]).parent.mkdir(parents=True, exist_ok=True)
            Path(arguments[0]).symlink_to(arguments[1])
        case "hang up":
            worker.shutdown(socket.SHUT_RDWR)
            worker.close()
        case "read":
            print(Path(arguments[0]).read_text(), flush=True)
        case "spawn":
            subprocess.Popen(["sleep", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pause()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(arguments[0])
        case _:
            raise ValueError(word)
