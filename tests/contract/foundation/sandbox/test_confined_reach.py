"""What a confined program can reach, and what it can't."""

import os
import sys
from pathlib import Path

import pytest

from modelyard.foundation.sandbox import capabilities, preparation
from modelyard.foundation.sandbox.capabilities import Capabilities
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import Limits, Sandbox, SandboxUnavailable, Tier
from tests.support.confinement import both_tiers, needs_bubblewrap, run, start


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


async def test_nothing_runs_where_the_machine_can_t_confine_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = Capabilities(7, True, "bubblewrap is not installed: install it", None, "none", "")
    monkeypatch.setattr(preparation, "_known", None)
    monkeypatch.setattr(capabilities, "look", lambda: none)
    with pytest.raises(SandboxUnavailable) as refused:
        await run(Tier.FOREIGN, "open('ran', 'w')", tmp_path)
    assert refused.value.message.endswith("none is run or read here: bubblewrap is not installed: install it")
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
