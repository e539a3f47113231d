"""Which model server this host starts, and with which command line."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from modelyard.foundation.errors import FailedPrecondition

REAL = "tensorflow_model_server"
_VERSION = re.compile(r"TensorFlow ModelServer:\s*(\S+)")
_VERSION_TIMEOUT_S = 30.0


class ModelServerMissing(FailedPrecondition):
    reason = "MODEL_SERVER_MISSING"


@dataclass(frozen=True, slots=True)
class Program:
    argv: tuple[str, ...]
    description: str
    """What it is, and its version."""
    flags: tuple[str, ...]
    """Which only this program has."""

    @property
    def files(self) -> tuple[Path, ...]:
        """What a sandbox has to show of it; this Python is always there."""
        return () if self.argv[0] == sys.executable else (Path(self.argv[0]).absolute(),)


async def find_program(model_server: str) -> Program:
    """`auto`, `embedded` or a path, as in the settings."""
    path = shutil.which(REAL) if model_server == "auto" else None if model_server == "embedded" else model_server
    if path is None:
        command = (sys.executable, "-m", "modelyard.modelserver")
        return Program(command, f"embedded {version('modelyard')}", ("--max_num_load_retries=0",))
    if not os.access(path, os.X_OK):
        raise ModelServerMissing(f"{path} is not a program; set model_server to embedded, or to one that is")
    return Program((path,), f"{REAL} {await _version_of(path)}", ())


def command_line(
    program: Program,
    *,
    socket: Path,
    name: str,
    base: Path,
    batching: bool,
    more: Sequence[str] = (),
) -> list[str]:
    """TensorFlow Serving's flags; the folder is read once: which versions are served is not for it to find out."""
    flags = [
        "--port=0",
        f"--grpc_socket_path={socket}",
        f"--model_name={name}",
        f"--model_base_path={base}",
        "--file_system_poll_wait_seconds=0",
        *(["--enable_batching=true"] if batching else []),
        *program.flags,
        *more,
    ]
    return [*program.argv, *flags]


async def _version_of(path: str) -> str:
    process = await asyncio.create_subprocess_exec(
        path, "--version", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, env={}
    )
    try:
        async with asyncio.timeout(_VERSION_TIMEOUT_S):
            printed, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ModelServerMissing(f"{path} --version does not answer; set model_server to embedded") from None
    match = _VERSION.search(printed.decode("utf-8", "replace"))
    return match[1] if match else "of unknown version"
