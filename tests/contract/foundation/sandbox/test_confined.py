"""A confined program: what it gets, how it ends, that nothing of it is left."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import EndKind, Sandbox, SandboxUnavailable, Tier
from tests.support.confinement import both_tiers, run, start
from tests.support.eventually import eventually

FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", sys.argv[1]], start_new_session=True)
print("ready", flush=True)
time.sleep(60)
"""
"""A program that does not stop, with a child in a session of its own."""


def running(marker: str) -> bool:
    """Whether a process has this word on its command line."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and folder.name != str(os.getpid()):
            try:
                if marker.encode() in (folder / "cmdline").read_bytes():
                    return True
            except (FileNotFoundError, ProcessLookupError):
                continue
    return False


@both_tiers
async def test_its_lines_its_status_and_its_files_arrive(tier: Tier, tmp_path: Path) -> None:
    ran = await run(
        tier, "import os; print(os.getcwd()); open('made', 'w').write('by it'); raise SystemExit(3)", tmp_path
    )
    assert (ran.end.kind, ran.end.exit.code, ran.end.ok) == (EndKind.EXITED, 3, False)
    assert ran.end.message == "it ended with status 3"
    assert ran.lines == [str(tmp_path)]
    assert (tmp_path / "made").read_text() == "by it"
    assert (tmp_path / "made").stat().st_uid == os.geteuid()


@both_tiers
async def test_it_has_no_environment_but_the_one_given(
    tier: Tier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELYARD_SECRET", "hunter2")
    ran = await run(tier, "import json, os; print(json.dumps(dict(os.environ)))", tmp_path)
    assert set(json.loads(ran.lines[0])) <= {"HOME", "LC_CTYPE"}


@both_tiers
async def test_it_talks_over_the_socket_that_it_was_given_and_has_no_other_files(tier: Tier, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    stray = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(stray, True)
    lines: list[str] = []
    code = """
import os, socket, sys
number = int(sys.argv[1])
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")))
socket.socket(fileno=number).sendall(b"hello")
"""
    with ours:
        number = theirs.fileno()
        confined = await start(tier, code, tmp_path, lines, arguments=[str(number)], pass_fds=[number])
        theirs.close()
        assert (await confined.wait()).ok, lines
        assert json.loads(lines[0]) == [0, 1, 2, number]
        assert ours.recv(10) == b"hello"
        assert ours.recv(10) == b"", "nobody else may hold its end"
    os.close(stray)


@both_tiers
async def test_the_socket_closes_with_the_program(tier: Tier, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        code = "import os, sys, time; os.close(int(sys.argv[1])); time.sleep(60)"
        confined = await start(tier, code, tmp_path, arguments=[str(theirs.fileno())], pass_fds=[theirs.fileno()])
        theirs.close()
        assert await asyncio.to_thread(ours.recv, 1) == b""
        confined.kill()
        assert (await confined.wait()).kind is EndKind.SIGNAL


@both_tiers
async def test_stopping_lets_it_finish(tier: Tier, tmp_path: Path) -> None:
    lines: list[str] = []
    code = """
import signal, sys, time
def stop(*_):
    print("saved", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""
    confined = await start(tier, code, tmp_path, lines)
    await eventually(lambda: lines)
    assert (await confined.stop(grace_s=20)).ok
    assert lines == ["ready", "saved"]


@both_tiers
async def test_one_that_does_not_stop_is_killed_with_all_that_it_started(tier: Tier, tmp_path: Path) -> None:
    lines: list[str] = []
    marker = f"marker-{os.getpid()}-{tier}"
    confined = await start(tier, FAMILY, tmp_path, lines, arguments=[marker])
    await eventually(lambda: lines)
    end = await confined.stop(grace_s=0.1)
    assert (end.kind, end.exit.signal, end.exit.killed) == (EndKind.SIGNAL, signal.SIGKILL, True)
    assert "did not stop in time" in end.message
    assert not running(marker)


@both_tiers
async def test_what_it_leaves_behind_is_gone_when_it_has_ended(tier: Tier, tmp_path: Path) -> None:
    marker = f"left-{os.getpid()}-{tier}"
    code = """
import os, subprocess, sys
if os.fork() == 0:
    os.setsid()
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", sys.argv[1]])
"""
    ran = await run(tier, code, tmp_path, arguments=[marker])
    assert ran.end.ok
    assert not running(marker)


@both_tiers
async def test_all_of_it_dies_when_its_parent_is_killed(tier: Tier, tmp_path: Path) -> None:
    marker = f"orphan-{os.getpid()}-{tier}"
    code = f"""
import asyncio, os, signal
from pathlib import Path
from modelyard.foundation.sandbox.policy import Tier
from tests.support.confinement import start

async def main():
    lines = []
    confined = await start(Tier.{tier}, {FAMILY!r}, Path({str(tmp_path)!r}), lines, arguments=[{marker!r}])
    while not lines:
        await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    parent = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, check=False)
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    await eventually(lambda: not running(marker))


@both_tiers
async def test_a_signal_is_told_as_one(tier: Tier, tmp_path: Path) -> None:
    ran = await run(tier, "import os; os.kill(os.getpid(), 11)", tmp_path)
    assert (ran.end.kind, ran.end.exit.signal) == (EndKind.SIGNAL, signal.SIGSEGV)
    assert ran.end.message == "it was ended by SIGSEGV"


@both_tiers
async def test_its_log_goes_to_a_file(tier: Tier, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    confined = await Confined.start(
        Sandbox(tier, (), (work,)), [sys.executable, "-c", "print('to the log')"], log_file=tmp_path / "log"
    )
    assert (await confined.wait()).ok
    assert (tmp_path / "log").read_text() == "to the log\n"


@both_tiers
async def test_its_memory_can_be_asked_for(tier: Tier, tmp_path: Path) -> None:
    lines: list[str] = []
    code = "x = bytearray(24 << 20); print('held', flush=True); import time; time.sleep(60)"
    confined = await start(tier, code, tmp_path, lines)
    await eventually(lambda: lines)
    assert confined.memory_bytes() > 24 << 20
    confined.kill()
    await confined.wait()
    assert confined.memory_bytes() == 0


@both_tiers
async def test_a_program_that_can_t_be_run_is_told(tier: Tier, tmp_path: Path) -> None:
    program = tmp_path / "no-program"
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o755)
    with pytest.raises(SandboxUnavailable, match=r"did not start: .*no-program: No such file"):
        await Confined.start(Sandbox(tier, (), (tmp_path,)), [str(program)])
    assert program.stat().st_uid == os.geteuid()


@both_tiers
@pytest.mark.parametrize("delay_s", [0.0, 0.03, 0.05, 0.06, 0.08])
async def test_a_start_that_is_given_up_leaves_nothing(tier: Tier, tmp_path: Path, delay_s: float) -> None:
    mark = f"given-up-{tier}-{delay_s}"
    sandbox = Sandbox(tier, readable=(), writable=(tmp_path,))
    starting = asyncio.create_task(Confined.start(sandbox, [sys.executable, "-c", "import time; time.sleep(60)", mark]))
    await asyncio.sleep(delay_s)  # somewhere in the start
    starting.cancel()
    try:
        confined = await starting
    except asyncio.CancelledError:
        pass
    else:
        confined.kill()
        await confined.wait()
    assert not running(mark)
