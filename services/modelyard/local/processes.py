"""The processes of an installation on one machine, and the settings each is started with."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from modelyard.local.folder import DataFolder, replace_file
from modelyard.local.identities import HOST, WORKER
from modelyard.local.store import Store
from modelyard.trainer.package_index import index_environment


@dataclass(frozen=True, slots=True)
class Process:
    """One child of the supervisor."""

    name: str
    """As in logs/ and config/."""
    argv: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    health: str
    """Where gRPC health answers once it is ready; empty for the store."""
    service: str = ""
    """What to ask health about; empty: the process as a whole."""
    after: tuple[str, ...] = ()
    """Which ones must be ready before it is started."""
    grace_s: float = 15.0
    """How long it may take to drain."""


def plan(folder: DataFolder, address: str, store: Store) -> list[Process]:
    """Write every process's settings; answers the processes in the order of their start."""
    run = folder.run_folder()
    for name in ("proxy", "host"):
        (run / name).mkdir(mode=0o700, exist_ok=True)
    settings = _settings(folder, run, address, store)
    for name, values in settings.items():
        replace_file(folder.part("config") / f"{name}.toml", tomli_w.dumps(values))
    health = {name: f"unix:{run}/{name}.sock" for name in settings} | {"proxy": address}
    after = {
        "catalog": ("store",) if store.process else (),
        "scheduler": ("catalog",),
        "inference": ("catalog",),
        "proxy": ("scheduler", "inference"),
        "trainer": ("proxy",),
        "modelhost": ("proxy",),
    }
    processes = []
    if store.process is not None:
        processes.append(Process("store", store.process.argv, store.process.environment, store.process.cwd, ""))
    for name in settings:
        argv = [sys.executable, "-m", f"modelyard.{name}", "--config", str(folder.part("config") / f"{name}.toml")]
        grace_s = {"trainer": 75.0, "modelhost": 45.0}.get(name, 15.0)
        # Inference as a whole answers for the installation; it is ready by itself before that.
        service = "modelyard.api.inference.v1.DeploymentService" if name == "inference" else ""
        processes.append(
            Process(name, argv, _environment(name), folder.root, health[name], service, after[name], grace_s)
        )
    return processes


def _environment(process: str) -> dict[str, str]:
    """What a process needs to find programs, libraries and accelerators; none of the user's secrets, but that the
    worker installs requirements from the user's own package index."""
    kept = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TMPDIR", "VIRTUAL_ENV")
    index = index_environment(os.environ) if process == "trainer" else {}
    return index | {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUNBUFFERED": "1"}


def _settings(folder: DataFolder, run: Path, address: str, store: Store) -> dict[str, dict[str, Any]]:
    keys, db = folder.part("keys"), folder.part("db")
    identity = {"trust_file": str(keys / "trust.json")}
    sockets = {name: {"target": f"unix:{run}/{name}.sock"} for name in ("catalog", "scheduler", "inference")}

    def listen(name: str) -> dict[str, str]:
        return {"listen": f"unix:{run}/{name}.sock"}

    def shown(name: str) -> dict[str, str]:
        return identity | {"token_file": str(keys / f"{name}.token")}

    s3 = {
        "endpoint": store.settings.endpoint,
        "access_key": store.settings.access_key,
        "secret_key": store.settings.secret_key.get_secret_value(),
        "bucket": store.settings.bucket,
        "region": store.settings.region,
    }
    return {
        "catalog": {
            "server": listen("catalog"),
            "identity": identity,
            "signing_key_file": str(keys / "catalog.key"),
            "sql": {"url": f"sqlite:///{db}/catalog.sqlite"},
            "s3": s3,
            "public_endpoint": f"http://{address}",
        },
        "scheduler": {
            "server": listen("scheduler"),
            "identity": shown("scheduler"),
            "signing_key_file": str(keys / "scheduler.key"),
            "sql": {"url": f"sqlite:///{db}/scheduler.sqlite"},
            "catalog": sockets["catalog"],
        },
        "inference": {
            "server": listen("inference"),
            "identity": shown("inference"),
            "sql": {"url": f"sqlite:///{db}/inference.sqlite"},
            "catalog": sockets["catalog"],
            "scheduler": sockets["scheduler"],
        },
        "proxy": {
            "server": {"listen": address},
            "run_dir": str(run / "proxy"),
            "identity": shown("proxy"),
            **sockets,
            "store": {"endpoint": store.settings.endpoint, "bucket": store.settings.bucket},
        },
        "trainer": {
            "worker": WORKER,
            "server": {"target": address},
            "identity": shown("worker"),
            "listen": listen("trainer"),
            "work_folder": str(folder.part("work") / "trainer"),
        },
        "modelhost": {
            "host": HOST,
            "server": {"target": address},
            "identity": shown("host"),
            "work_folder": str(folder.part("work") / "modelhost"),
            "run_folder": str(run / "host"),
            "listen": listen("modelhost"),
            # It is the only host: nobody takes over while it leaves.
            "leave_s": 0,
        },
    }
