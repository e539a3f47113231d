"""`modelyard worker run` and `modelyard host run`: this machine joins an installation elsewhere."""

import os
import sys
from pathlib import Path
from typing import Any

import tomli_w

from modelyard.foundation.addresses import is_local
from modelyard.local.folder import DataFolder


def run_worker(server: str, token_file: str, name: str, trust_file: Path, work_folder: Path, ca_file: str) -> int:
    """Become the trainer's process; comes back only when its settings are not right."""
    run = _run_folder(work_folder)
    return _become(
        "trainer",
        work_folder,
        {
            "worker": name,
            "server": _channel(server, ca_file),
            "identity": {"trust_file": str(trust_file.absolute()), "token_file": str(Path(token_file).absolute())},
            "listen": {"listen": f"unix:{run}/trainer.sock"},
            "work_folder": str(work_folder.absolute()),
        },
    )


def run_host(server: str, token_file: str, name: str, work_folder: Path, ca_file: str) -> int:
    """Become the model host's process; comes back only when its settings are not right."""
    run = _run_folder(work_folder)
    return _become(
        "modelhost",
        work_folder,
        {
            "host": name,
            "server": _channel(server, ca_file),
            "identity": {"token_file": str(Path(token_file).absolute())},
            "work_folder": str(work_folder.absolute()),
            "run_folder": str(run),
        },
    )


def _run_folder(work_folder: Path) -> Path:
    """Where its sockets go; the same at every start, so that none pile up."""
    work_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return DataFolder(work_folder).run_folder()


def _channel(server: str, ca_file: str) -> dict[str, Any]:
    channel: dict[str, Any] = {"target": server, "tls": not is_local(server)}
    return channel | ({"tls_ca_file": ca_file} if ca_file else {})


def _become(process: str, work_folder: Path, values: dict[str, Any]) -> int:
    if not values["server"]["target"] or values["identity"]["token_file"] == str(Path().absolute()):
        print("error: --server HOST:PORT and --token-file FILE are needed", file=sys.stderr)
        return 2
    config = work_folder / f"{process}.toml"
    config.write_text(tomli_w.dumps(values))
    command = [sys.executable, "-m", f"modelyard.{process}", "--config", str(config), "--log.format", "text"]
    return os.execv(sys.executable, command)
