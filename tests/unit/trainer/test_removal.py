"""What a job has left is gone afterwards, however it has arranged it."""

import os
import tempfile
from pathlib import Path

import pytest

from modelyard.trainer.removal import remove_tree


def test_a_folder_that_is_not_there_is_removed_already(tmp_path: Path) -> None:
    remove_tree(tmp_path / "nothing")


def test_folders_deeper_than_any_path_may_be(tmp_path: Path) -> None:
    top = tmp_path / "job"
    top.mkdir()
    place = os.open(top, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("d" * 50, dir_fd=place)
        deeper = os.open("d" * 50, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = deeper
    os.close(place)
    remove_tree(top)
    assert not top.exists()


def test_closed_folders_links_and_names_that_look_like_ours(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o755)
    (outside / "kept").write_text("kept")
    top = tmp_path / "job"
    for name in (".1", ".2", "a/.1/.2", "a/b/c"):
        (top / name).mkdir(parents=True)
        (top / name / "file").touch()
    (top / "link").symlink_to(outside)
    (top / "a" / "link").symlink_to("/etc")
    os.mkfifo(top / "a" / "pipe")
    (top / "a" / "b").chmod(0)
    top.chmod(0o500)
    remove_tree(top)
    assert not top.exists()
    assert (outside / "kept").read_text() == "kept"
    assert outside.stat().st_mode & 0o777 == 0o755


def test_a_link_in_its_place_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "job").symlink_to(tmp_path / "outside")
    remove_tree(tmp_path / "job")
    assert not (tmp_path / "job").is_symlink()
    assert (tmp_path / "outside").is_dir()


def test_what_cannot_be_removed_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    # Root may remove everything, so it is somebody else for a moment; pytest's own folders are closed to others.
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "job" / "a").mkdir(parents=True)
        place.chmod(0o555)
        if before == 0:
            os.seteuid(65534)
        try:
            remove_tree(place / "job")
        finally:
            os.seteuid(before)
            place.chmod(0o755)
        assert (place / "job").is_dir()
    assert "can't be removed" in caplog.text
