from pathlib import Path

import pytest

from deploy.prepare import stamp


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lock").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.touch(mode=0o755)
    return tmp_path


def wanted(root: Path, python: str = "3.11", extras: str = "") -> stamp.Stamp:
    return stamp.wanted(root / "lock", root / "pyproject.toml", python, extras, root)


def test_nothing_changed_means_nothing_to_do(root: Path) -> None:
    stamp.write(root / ".venv", wanted(root))
    assert stamp.installed(root / ".venv") == wanted(root)


@pytest.mark.parametrize("name", ["lock", "pyproject.toml"])
def test_a_changed_file_is_noticed(root: Path, name: str) -> None:
    stamp.write(root / ".venv", wanted(root))
    (root / name).write_text("changed\n")
    assert stamp.installed(root / ".venv") != wanted(root)


def test_another_python_or_other_extras_are_noticed(root: Path) -> None:
    stamp.write(root / ".venv", wanted(root))
    assert stamp.installed(root / ".venv") != wanted(root, python="3.12")
    assert stamp.installed(root / ".venv") != wanted(root, extras="gpu")


def test_an_interrupted_set_up_leaves_no_stamp(root: Path) -> None:
    stamp.write(root / ".venv", wanted(root))
    stamp.remove(root / ".venv")
    assert stamp.installed(root / ".venv") == stamp.Stamp()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"unknown": 1}'])
def test_a_broken_stamp_counts_as_none(root: Path, text: str) -> None:
    (root / ".venv" / stamp.NAME).write_text(text)
    assert stamp.installed(root / ".venv") == stamp.Stamp()


def test_a_stamp_beside_a_missing_python_counts_as_none(root: Path) -> None:
    stamp.write(root / ".venv", wanted(root))
    (root / ".venv" / "bin" / "python").unlink()
    assert stamp.installed(root / ".venv") == stamp.Stamp()
