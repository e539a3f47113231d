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

from modelyard.foundation.sandbox import capabilities, preparation
from modelyard.foundation.sandbox.capabilities import Capabilities
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import EndKind, Limits, Sandbox, SandboxUnavailable, Tier
from tests.support.confinement import both_tiers, needs_bubblewrap, run, start
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
async def test_what_is_readable_stays_so_below_what_is_writable(tier: Tier, tmp_path: Path) -> None:
    for name in ("inputs", "scratch"):
        (tmp_path / name).mkdir()
    (tmp_path / "inputs" / "data").write_text("kept")
    (tmp_path / "inputs" / "data").chmod(0o600)
    code = """
import os
print(open("inputs/data").read())
open("scratch/made", "w").write("x")
for path in ("inputs/data", "inputs/new"):
    try:
        open(path, "w")
    except OSError as error:
        print(error.strerror)
"""
    lines: list[str] = []
    confined = await start(tier, code, tmp_path, lines, readable=[tmp_path / "inputs"])
    assert (await confined.wait()).ok
    assert lines[0] == "kept"
    assert set(lines[1:]) <= {"Read-only file system", "Permission denied"}
    assert len(lines) == 3
    assert (tmp_path / "inputs" / "data").read_text() == "kept"
    assert [path.name for path in (tmp_path / "inputs").iterdir()] == ["data"]


@needs_bubblewrap
async def test_a_file_that_is_also_elsewhere_is_not_changed_there(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "cached").write_text("for all")
    os.link(tmp_path / "cached", work / "mine")
    ran = await run(Tier.FOREIGN, "open('mine', 'w').write('changed')", work)
    assert ran.end.ok, ran.text
    assert (tmp_path / "cached").read_text() == "for all"
    assert (work / "mine").read_text() == "changed"


@needs_bubblewrap
async def test_nobody_gets_the_rights_of_a_file_s_owner_by_what_it_left(tmp_path: Path) -> None:
    ran = await run(Tier.FOREIGN, "import os; open('tool', 'w'); os.chmod('tool', 0o6755)", tmp_path)
    assert ran.end.ok, ran.text
    assert (tmp_path / "tool").stat().st_mode & 0o6000 == 0 or os.geteuid() != 0


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


async def test_nothing_runs_where_the_machine_can_t_confine_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = Capabilities(7, True, "bubblewrap is not installed: install it", None, "none", "")
    monkeypatch.setattr(preparation, "_known", None)
    monkeypatch.setattr(capabilities, "look", lambda: none)
    with pytest.raises(SandboxUnavailable) as refused:
        await run(Tier.FOREIGN, "open('ran', 'w')", tmp_path)
    assert refused.value.message.endswith("none runs here: bubblewrap is not installed: install it")
    assert refused.value.reason == "SANDBOX_UNAVAILABLE"
    assert not (tmp_path / "ran").exists()
    assert Limits() == Limits(open_files=4096)


@both_tiers
async def test_it_reads_what_libraries_look_for(tier: Tier, tmp_path: Path) -> None:
    code = """
import os, pwd
for path in ("/etc/ld.so.cache", "/etc/passwd", "/proc/cpuinfo", "/sys/devices/system/cpu/online"):
    print(path, len(open(path, "rb").read()) > 0)
print(pwd.getpwuid(os.getuid()).pw_name, os.cpu_count() > 0)
"""
    ran = await run(tier, code, tmp_path)
    assert ran.end.ok, ran.text
    assert all(line.endswith(" True") for line in ran.lines), ran.text


@both_tiers
async def test_its_guardian_is_out_of_its_reach(tier: Tier, tmp_path: Path) -> None:
    code = """
import os, signal
guardian = os.getppid()
reached = []
for name, try_it in {
    "signal": lambda: os.kill(guardian, signal.SIGSTOP),
    "signal all": lambda: os.kill(-1, signal.SIGSTOP),
    "memory": lambda: open(f"/proc/{guardian}/mem", "rb"),
    "environment": lambda: open(f"/proc/{guardian}/environ", "rb").read(),
    "files": lambda: os.readlink(f"/proc/{guardian}/fd/0"),
    "kill": lambda: os.kill(guardian, signal.SIGKILL),
}.items():
    try:
        try_it()
        reached.append(name)
    except OSError:
        pass
print(reached, os.getppid() == guardian)
"""
    ran = await run(tier, code, tmp_path)
    assert ran.end.ok, ran.text
    # Process 1 of a namespace is not hit by signals from within.
    signals = ["signal", "signal all", "kill"] if tier is Tier.FOREIGN else []
    assert ran.lines in ([f"{signals} True"], [f"{[]} True"])


@both_tiers
async def test_it_imports_modelyard(tier: Tier, tmp_path: Path) -> None:
    lines: list[str] = []
    confined = await Confined.start(
        Sandbox(tier, (), (tmp_path,)),
        [sys.executable, "-c", "import modelyard.job.messages as found; print(found.__name__)"],
        on_line=lambda _, line: lines.append(line),
    )
    assert (await confined.wait()).ok, lines
    assert lines == ["modelyard.job.messages"]


@both_tiers
async def test_what_is_readable_anyway_may_be_named_too(tier: Tier, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    readable = [Path(sys.executable), Path("/usr/lib"), Path(sys.prefix) / "bin"]
    lines: list[str] = []
    confined = await start(tier, "print('runs')", tmp_path, lines, readable=readable)
    assert (await confined.wait()).ok, lines


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
