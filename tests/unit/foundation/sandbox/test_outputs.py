"""Nothing comes out but files and folders, and not too much of them."""

import os
import socket
from pathlib import Path

import pytest

from modelyard.foundation.sandbox.outputs import HostileOutput, copy_out
from modelyard.foundation.sandbox.policy import Limits


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "file").write_bytes(b"x" * 100)
    (folder / "empty").mkdir()
    return folder


UNLIMITED = Limits()


def refused(source: Path, limits: Limits = UNLIMITED) -> str:
    target = source.parent / "target"
    with pytest.raises(HostileOutput) as error:
        copy_out(source, target, limits)
    assert not target.exists()
    return error.value.message


def test_files_and_folders_come_out(source: Path) -> None:
    target = source.parent / "target"
    (source / "tool").write_text("#!")
    (source / "tool").chmod(0o6777)
    copy_out(source, target, Limits(disk_bytes=1000, disk_files=10))
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    assert found == ["deep", "deep/er", "deep/er/file", "empty", "tool"]
    assert (target / "deep" / "er" / "file").read_bytes() == b"x" * 100
    assert (target / "tool").stat().st_mode & 0o7777 == 0o600


def test_a_link_does_not(source: Path) -> None:
    (source / "link").symlink_to("/etc/passwd")
    assert refused(source) == "'link' is neither a file nor a folder"


def test_a_linked_folder_does_not(source: Path) -> None:
    (source / "deep" / "etc").symlink_to("/etc")
    assert refused(source) == "'deep/etc' is neither a file nor a folder"


def test_the_folder_itself_may_be_no_link(source: Path) -> None:
    link = source.parent / "link"
    link.symlink_to(source)
    with pytest.raises(HostileOutput, match="link is not a folder"):
        copy_out(link, source.parent / "target", Limits())


def test_a_hard_link_does_not(source: Path) -> None:
    os.link(source / "deep" / "er" / "file", source.parent / "elsewhere")
    assert refused(source) == "'deep/er/file' has another name elsewhere"


def test_pipes_and_sockets_do_not(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(source / "pipe")
    assert refused(source) == "'pipe' is neither a file nor a folder"
    (source / "pipe").unlink()
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
        assert refused(source) == "'socket' is neither a file nor a folder"


def test_a_hole_counts_as_what_it_pretends(source: Path) -> None:
    with (source / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert "almost all of them are a hole" in refused(source)
    assert refused(source, Limits(disk_bytes=1 << 20)) == "the files have more than 1048576 bytes, holes included"
    assert "bytes, 1000 are allowed" in refused(source, Limits(file_bytes=1000))


def test_too_many_are_refused(source: Path) -> None:
    assert refused(source, Limits(disk_files=3)) == "there are more than 3 files and folders"


def test_deep_folders_are_refused_without_harm(source: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(source)
        for _ in range(100):
            Path("d").mkdir()
            os.chdir("d")
    finally:
        os.fchdir(here)
        os.close(here)
    assert "lies deeper than 64 folders" in refused(source)


@pytest.mark.parametrize("name", [b"\xff", b"a\nb", b"a\x7f", b"\x1b[31m"])
def test_names_that_are_no_text_are_refused(source: Path, name: bytes) -> None:
    os.close(os.open(os.path.join(os.fsencode(source), name), os.O_CREAT))  # noqa: PTH118
    assert "name" in refused(source)
