import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.prepare import __main__ as prepare
from deploy.prepare import progress, stamp
from deploy.prepare.install import uv_is_meant

ROOT = Path(__file__).resolve().parents[3]
LOCK = """\
# a comment
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:00
six==1.17.0 \\
    --hash=sha256:00
tensorflow==2.21.0 \\
    --hash=sha256:00
    # via x==y
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
"""
SIZES = "numpy 16000000 15000000\nnvidia-cudnn-cu12 700000000 700000000\ntensorflow 570000000 280000000\n"


def test_uv_is_used_where_it_is_found() -> None:
    assert uv_is_meant({}, "/bin/uv", "")
    assert not uv_is_meant({}, None, "")


@pytest.mark.parametrize("settings", ["global.index-url='https://wheels.example/'", ":env:.find-links='/wheels'"])
def test_who_set_an_index_for_pip_only_gets_pip(settings: str) -> None:
    assert not uv_is_meant({}, "/bin/uv", settings)
    assert uv_is_meant({"UV_DEFAULT_INDEX": "https://wheels.example/"}, "/bin/uv", settings)


def test_a_person_may_choose_the_installer() -> None:
    assert not uv_is_meant({"INSTALLER": "pip"}, "/bin/uv", "")
    assert uv_is_meant({"INSTALLER": "uv"}, None, "")


def test_a_moved_checkout_goes_on_with_its_own_python_under_that_ones_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch(mode=0o755)
    stamp.write(tmp_path, stamp.Stamp(python="3.10", root="/where/it/was"))
    started: list[tuple[str, str]] = []

    def start(program: str, command: list[str]) -> None:
        started.append((program, command[0]))
        raise SystemExit

    monkeypatch.setattr(prepare, "VENV", tmp_path)
    monkeypatch.setattr(os, "execv", start)
    monkeypatch.delenv("PYTHON", raising=False)
    with pytest.raises(SystemExit):
        prepare.main()
    assert started == [(str(tmp_path / "bin" / "python"), str(tmp_path / "bin" / "python"))]


def test_an_environment_is_made_by_the_python_below_the_one_that_is_removed_first(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True)
    asked = "from deploy.prepare.install import maker; print(maker())"
    own = str(tmp_path / "bin" / "python")
    found = subprocess.run([own, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_file()
    assert not found.startswith(str(tmp_path))


def test_the_goal_counts_each_package_of_this_platform_once() -> None:
    assert progress.goal(LOCK, SIZES, "x86_64") == progress.Goal(3, 586_000_000)
    assert progress.goal(LOCK, SIZES, "aarch64") == progress.Goal(3, 295_000_000)


def test_progress_tells_megabytes_and_time_left_then_packages() -> None:
    aim = progress.Goal(90, 800_000_000)
    assert progress.sentence(aim, 0, 0, 1.0) == "0 of 90 packages; 800 MB to go"
    halfway = progress.sentence(aim, 0, 400_000_000, 90.0)
    assert halfway == "0 of 90 packages; 400 of 800 MB fetched, about 1 min 30 s left"
    assert progress.sentence(aim, 41, 800_000_000, 200.0) == "41 of 90 packages installed"


def test_in_a_log_progress_speaks_only_now_and_then() -> None:
    said: list[str] = []
    clock = iter([0.0, 0.0, 5.0, 11.0, 11.0, 30.0])
    speak = progress.Speaker(said.append, 10, lambda: next(clock))
    for text in ("a", "b", "c", "c"):
        speak(text)
    assert said == ["a", "c"]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-gpu.txt", "requirements-protos.txt"])
def test_a_lock_pins_every_package_by_hash_and_names_no_index(name: str) -> None:
    lines = (ROOT / "deploy" / name).read_text().splitlines()
    packages = [i for i, line in enumerate(lines) if line and not line.startswith((" ", "#"))]
    assert len(packages) > 5
    for i in packages:
        assert "==" in lines[i]
        assert lines[i + 1].strip().startswith("--hash=sha256:")
    assert not [line for line in lines if "://" in line or "index" in line.split("#")[0]]
