"""What is another user's, and what is opened to sandboxed programs: where the worker is root."""

import os
import stat
from pathlib import Path

import pytest

from modelyard.foundation.sandbox import owner

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "inputs").mkdir(mode=0o700)
    (tmp_path / "inputs" / "data").write_text("data")
    (tmp_path / "inputs" / "data").chmod(0o600)
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "out").symlink_to("/etc/passwd")
    return tmp_path


def owners(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_uid for path in (folder, *folder.rglob("*"))}


def test_everything_but_what_is_read_only_changes_hands_and_comes_back(work: Path) -> None:
    before = Path("/etc/passwd").stat()
    user = owner.User()
    user.take([work], [work / "inputs"])
    taken = owners(work)
    assert {name for name, number in taken.items() if number == user.number} == {".", "scratch", "scratch/out"}
    owner.give_back([work], [work / "inputs"])
    user.close()
    assert set(owners(work).values()) == {0}
    assert Path("/etc/passwd").stat() == before


def test_two_at_a_time_are_two_users() -> None:
    first, second = owner.User(), owner.User()
    assert first.number != second.number
    first.close()
    third = owner.User()
    assert third.number != second.number
    second.close()
    third.close()


def test_private_files_are_opened_to_sandboxed_programs_only(work: Path) -> None:
    assert owner.is_private(work / "inputs")
    owner.open_to_readers([work / "inputs"])
    for path, mode in ((work / "inputs", 0o750), (work / "inputs" / "data", 0o640)):
        status = path.stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, owner.READERS, mode)


def test_folders_of_any_depth_come_back(work: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(work / "scratch")
        for _ in range(1500):
            Path("d" * 50).mkdir()
            os.chdir("d" * 50)
            os.chown(".", 65534, 65534)
        owner.give_back([work], [])
        assert Path().stat().st_uid == 0
        for _ in range(1500):
            os.chdir("..")
            Path("d" * 50).rmdir()
    finally:
        os.fchdir(here)
        os.close(here)
