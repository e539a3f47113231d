"""T-SBX-07: what is said where a sandbox is not possible."""

from pathlib import Path

import pytest

from modelyard.foundation.sandbox import bubblewrap, capabilities, seccomp
from modelyard.foundation.sandbox.policy import Tier


def program(folder: Path, script: str) -> Path:
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without bubblewrap; what is put in the folder is on its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(bubblewrap, "_packaged", lambda: None)
    for name in ("_APPARMOR", "_USERNS_CLONE", "_MAX_USERNS"):
        monkeypatch.setattr(capabilities, name, tmp_path / name)
    monkeypatch.setattr(capabilities, "_CONTAINER_MARKS", (tmp_path / "dockerenv",))
    return tmp_path


@pytest.mark.usefixtures("alone")
def test_a_missing_bubblewrap_is_named_with_how_to_install_it() -> None:
    seen = capabilities.look()
    assert seen.program is None
    told = seen.problem(Tier.FOREIGN)
    assert told is not None
    assert told.startswith(
        "bubblewrap is not installed: install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap;"
    )


@pytest.mark.usefixtures("alone")
def test_our_own_code_needs_no_bubblewrap() -> None:
    assert capabilities.look().problem(Tier.SHIPPED) is None


def test_an_old_one_is_refused(alone: Path) -> None:
    program(alone, "echo bubblewrap 0.4.1")
    assert "bubblewrap 0.4.1 at" in str(capabilities.look().problem(Tier.FOREIGN))


def test_something_else_of_that_name_is_refused(alone: Path) -> None:
    program(alone, "echo hello")
    assert "is not bubblewrap: it calls itself 'hello'" in str(capabilities.look().problem(Tier.FOREIGN))


@pytest.mark.parametrize(
    ("file", "content", "remedy"),
    [
        ("_APPARMOR", "1\n", "sudo apparmor_parser -r /etc/apparmor.d/bwrap-userns-restrict"),
        ("_USERNS_CLONE", "0\n", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("_MAX_USERNS", "0\n", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("dockerenv", "", "--security-opt seccomp=unconfined --security-opt apparmor=unconfined"),
        ("none", "", "to see what the kernel refuses"),
    ],
)
def test_what_forbids_namespaces_is_named_with_its_remedy(alone: Path, file: str, content: str, remedy: str) -> None:
    program(alone, '[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit; echo "bwrap: No permissions" >&2; exit 1')
    (alone / file).write_text(content)
    told = capabilities.look().problem(Tier.FOREIGN)
    assert told is not None
    assert "0.11.0 can't make a sandbox here: bwrap: No permissions; " in told
    assert remedy in told


def test_no_filters_no_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "supported", lambda: False)
    seen = capabilities.look()
    for tier in Tier:
        assert "has no system call filter" in str(seen.problem(tier))
