"""T-SBX-01: programs that want out succeed where nothing keeps them, and don't in the sandbox."""

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import modelyard
from modelyard.foundation.sandbox.policy import Tier
from tests.fault.sandbox.escapes import ESCAPES, PRELUDE, Escape
from tests.support.confinement import needs_bubblewrap, start

ALONE = ["unshare", "--mount", "--uts", "--ipc", "--fork", "--kill-child"]
"""A throw-away namespace in which everything is allowed."""
AN_ADDRESS = """
import os, socket, subprocess, threading
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "{address}/32", "dev", "lo"], check=True)
server = socket.create_server(("{address}", 80))
"""
ROOT_ONLY = "only root can show that this works outside of the sandbox"
FOREIGN_MAY = {"listen_to_the_world": "there is nobody in a network of its own"}
SHIPPED_MAY = {
    "change_another_s_limits": "same user, and asking is harmless",
}


@dataclass
class Around:
    """What there is to reach."""

    facts: dict[str, Any]
    work: Path
    inputs: Path


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    home = tmp_path_factory.mktemp("worker")
    (home / "secret").write_text("hunter2")
    (home / "secret").chmod(0o600)
    for name in ("neighbour", "work", "inputs"):
        (home / name).mkdir(mode=0o777)
    (home / "neighbour").chmod(0o777)
    (home / "neighbour" / "theirs").write_text("theirs")
    (home / "inputs" / "data").write_text("data")
    shared = Path("/dev/shm") / f"modelyard-test-{os.getpid()}"
    shared.write_text("theirs")
    shared.chmod(0o666)
    abstract = f"modelyard-test-{os.getpid()}"
    descriptor = os.open(home / "secret", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    with (
        subprocess.Popen(["sleep", "600"], env={"PATH": os.environ["PATH"], "TOKEN": "hunter2"}) as victim,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as hidden,
    ):
        unix.bind(str(home / "s"))
        hidden.bind(f"\0{abstract}")
        for each in (unix, hidden):
            each.listen(100)
        threading.Thread(target=_answer, args=(server,), daemon=True).start()
        facts = {
            "secret": str(home / "secret"),
            "neighbour": str(home / "neighbour"),
            "input": str(home / "inputs" / "data"),
            "own_code": str(Path(modelyard.__path__[0]) / "__init__.py"),
            "shared": str(shared),
            "victim": victim.pid,
            "port": server.getsockname()[1],
            "unix": str(home / "s"),
            "abstract": abstract,
            "descriptor": descriptor,
        }
        try:
            yield Around(facts, home / "work", home / "inputs")
        finally:
            victim.kill()
            os.close(descriptor)
            shared.unlink()


def _answer(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def able(name: str, escape: Escape) -> None:
    """Leaves the test out where its proof can't be had."""
    if escape.machine and escape.machine != platform.machine():
        pytest.skip(f"no hardware: {name} is for {escape.machine}")
    if escape.root and os.geteuid() != 0:
        pytest.skip(ROOT_ONLY)
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed (apt-get install util-linux)")
    if escape.apart and shutil.which("ip") is None:
        pytest.skip("ip is not installed (apt-get install iproute2)")


def free(escape: Escape, around: Around) -> subprocess.CompletedProcess[str]:
    """Runs it where nothing keeps it, in a namespace that is thrown away."""
    command = [*ALONE]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    code = PRELUDE + escape.code + "\nprint('escaped')"
    if escape.apart:
        command.append("--net")
        code = AN_ADDRESS.format(address=escape.apart) + code
    return subprocess.run(
        [*command, sys.executable, "-I", "-S", "-c", code, json.dumps(around.facts)],
        cwd=around.work,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MODELYARD_SECRET": "hunter2"},
        pass_fds=[around.facts["descriptor"]],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@needs_bubblewrap
@pytest.mark.parametrize("name", [name for name in ESCAPES if name not in FOREIGN_MAY])
async def test_foreign_code_stays_inside(name: str, around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    await stays_inside(Tier.FOREIGN, name, around, monkeypatch)


@pytest.mark.parametrize("name", [name for name in ESCAPES if name not in SHIPPED_MAY])
async def test_our_own_code_stays_inside(name: str, around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    await stays_inside(Tier.SHIPPED, name, around, monkeypatch)


async def stays_inside(tier: Tier, name: str, around: Around, monkeypatch: pytest.MonkeyPatch) -> None:
    escape = ESCAPES[name]
    able(name, escape)
    monkeypatch.setenv("MODELYARD_SECRET", "hunter2")
    lines: list[str] = []
    confined = await start(
        tier,
        PRELUDE + escape.code + "\nprint('escaped')",
        around.work,
        lines,
        readable=[around.inputs],
        arguments=[json.dumps(around.facts)],
    )
    end = await confined.wait()
    assert "escaped" not in lines
    assert not end.ok
    assert not any("SyntaxError" in line or "NameError" in line for line in lines), lines
    clear(around)
    outside = free(escape, around)
    clear(around)
    if os.geteuid() != 0 and "escaped" not in outside.stdout:
        pytest.skip(ROOT_ONLY)
    if "[Errno 38]" in outside.stderr:
        pytest.skip(f"no hardware: this machine's kernel can't {name.replace('_', ' ')}")
    assert "escaped" in outside.stdout, f"it proves nothing: {outside.stderr}"


def clear(around: Around) -> None:
    for path in around.work.iterdir():
        path.unlink()
    (around.inputs / "more").unlink(missing_ok=True)
