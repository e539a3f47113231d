"""Child processes: what they get, what we hear, how they end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from modelyard.foundation.sync.children import MAX_LINE_BYTES, Child, ProgramMissing
from tests.support.eventually import eventually


class Lines(list[tuple[str, str]]):
    def __call__(self, stream: str, line: str) -> None:
        self.append((stream, line))


async def python(code: str, lines: Lines | None = None, **options: object) -> Child:
    argv = [sys.executable, "-c", textwrap.dedent(code)]
    return await Child.start(argv, on_line=lines, **options)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


async def test_its_lines_and_its_status_arrive(tmp_path: Path) -> None:
    lines = Lines()
    child = await python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", lines, cwd=tmp_path)
    ended = await child.wait()
    assert (ended.code, ended.signal, ended.ok) == (3, None, False)
    assert str(ended) == "ended with status 3"
    assert sorted(lines) == [("stderr", "err"), ("stdout", "out")]


async def test_it_has_no_environment_but_the_one_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELYARD_SECRET", "hunter2")
    lines = Lines()
    child = await python("import json, os; print(json.dumps(dict(os.environ)))", lines, environment={"ONLY": "this"})
    await child.wait()
    seen = json.loads(lines[0][1])
    seen.pop("LC_CTYPE", None)  # Python's own, where the locale is C
    assert seen == {"ONLY": "this"}


async def test_it_has_no_open_files_but_those_given() -> None:
    ours, theirs = socket.socketpair()
    stray = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(stray, True)
    lines = Lines()
    code = f"""
        import os, socket
        print(sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{{fd}}")))
        socket.socket(fileno={theirs.fileno()}).sendall(b"hello")
    """
    child = await python(code, lines, pass_fds=[theirs.fileno()])
    number = theirs.fileno()
    theirs.close()
    assert (await child.wait()).ok, lines
    assert json.loads(lines[0][1]) == [0, 1, 2, number]
    assert ours.recv(10) == b"hello"
    ours.close()
    os.close(stray)


async def test_it_leads_a_group_and_a_session_of_its_own() -> None:
    lines = Lines()
    child = await python("import os; print(os.getpgid(0), os.getsid(0), os.getpid())", lines)
    await child.wait()
    assert lines[0][1].split() == [str(child.pid)] * 3


async def test_stopping_lets_it_finish() -> None:
    lines = Lines()
    code = """
        import os, signal, sys, time
        def stop(*_):
            os.write(1, b"saved\\n")  # not print, which may be at work just now
            sys.exit(0)
        signal.signal(signal.SIGTERM, stop)
        print("ready", flush=True)
        time.sleep(60)
    """
    child = await python(code, lines)
    await eventually(lambda: lines)
    assert (await child.stop(grace_s=10)).ok
    assert lines[-1] == ("stdout", "saved")


async def test_one_that_does_not_stop_is_killed_with_its_children() -> None:
    lines = Lines()
    code = """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(grandchild.pid, flush=True)
        time.sleep(60)
    """
    child = await python(code, lines)
    await eventually(lambda: lines)
    ended = await child.stop(grace_s=0.1)
    assert (ended.signal, ended.killed) == (signal.SIGKILL, True)
    assert "did not stop in time" in str(ended)
    await eventually(lambda: not alive(int(lines[0][1])))


async def test_what_it_leaves_behind_is_killed() -> None:
    lines = Lines()
    code = """
        import subprocess, sys
        print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]).pid)
    """
    child = await python(code, lines)
    assert (await asyncio.wait_for(child.wait(), 10)).ok
    await eventually(lambda: not alive(int(lines[0][1])))


async def test_it_dies_with_its_parent() -> None:
    code = """
        import asyncio, os, signal, sys
        from modelyard.foundation.sync.children import Child
        async def main():
            def die(stream, line):
                print(child.pid, flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            argv = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
            child = await Child.start(argv, on_line=die)
            await child.wait()
        asyncio.run(main())
    """
    parent = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, check=False
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    await eventually(lambda: not alive(int(parent.stdout)))


async def test_a_line_without_end_is_cut_and_the_next_one_is_whole() -> None:
    lines = Lines()
    child = await python("print('x' * 10_000_000); print('after'); print('no end', end='')", lines)
    await child.wait()
    texts = [line for _, line in lines]
    assert [len(texts[0]), *texts[1:]] == [MAX_LINE_BYTES + 1, "after", "no end"]
    assert texts[0].endswith("…")


async def test_bytes_that_are_no_text_are_shown_somehow() -> None:
    lines = Lines()
    child = await python(r"import sys; sys.stdout.buffer.write(b'\xff\xfe ok\r\n\n')", lines)
    await child.wait()
    assert [line for _, line in lines] == ["\ufffd\ufffd ok", ""]


async def test_its_output_can_go_to_a_file(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    for text in ("one", "two"):
        await (await python(f"print('{text}')", log_file=log)).wait()
    assert log.read_text() == "one\ntwo\n"


async def test_a_program_that_is_missing_is_said() -> None:
    with pytest.raises(ProgramMissing, match="no program nonsense-xyz"):
        await Child.start(["nonsense-xyz"])


async def test_a_child_can_be_stopped_twice_and_after_its_end() -> None:
    child = await python("pass")
    await child.wait()
    assert not child.running
    assert (await child.stop()).ok
    child.kill()
    assert (await child.stop()).ok


async def test_a_waiter_that_gives_up_does_not_stop_it() -> None:
    child = await python("import time; time.sleep(60)")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(child.wait(), 0.05)
    assert child.running
    await child.stop()
