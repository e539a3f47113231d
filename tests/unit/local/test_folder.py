import json
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from modelyard.local.errors import FolderInUse, FolderNotOurs, FolderTooNew
from modelyard.local.folder import FORMAT, DataFolder


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def test_a_new_folder_is_stamped_and_closed_to_others(folder: DataFolder) -> None:
    with folder.claimed():
        stamp = json.loads((folder.root / "VERSION.json").read_text())
        assert stamp["format"] == FORMAT
        for path in (folder.root, folder.part("keys"), folder.part("db"), folder.part("store")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert folder.supervisor() == os.getpid()
    assert folder.supervisor() is None


def test_the_port_is_known_the_next_time(folder: DataFolder) -> None:
    assert folder.last_port() is None
    with folder.claimed():
        folder.record_port(9000)
    assert DataFolder(folder.root).last_port() == 9000
    (folder.root / "port").write_text("\x00\n")
    assert folder.last_port() is None, "what a full disk has left of it"


def test_a_second_up_on_the_same_folder_says_so(folder: DataFolder) -> None:
    with folder.claimed():
        before = sorted(path.name for path in folder.root.iterdir())
        said = rf"already runs on .*/data \(process {os.getpid()}\)"
        with pytest.raises(FolderInUse, match=said), DataFolder(folder.root).claimed():
            pass
        assert sorted(path.name for path in folder.root.iterdir()) == before
        assert folder.supervisor() == os.getpid()


def test_the_folder_is_free_again_after_its_owner_was_killed(folder: DataFolder) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from modelyard.local.folder import DataFolder
        with DataFolder(Path(sys.argv[1])).claimed():
            print("mine", flush=True)
            sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(folder.root)]
    owner = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "mine\n"
        assert folder.supervisor() == owner.pid
        with pytest.raises(FolderInUse), folder.claimed():
            pass
        owner.kill()
        owner.wait()
    assert folder.supervisor() is None
    with folder.claimed():
        assert folder.supervisor() == os.getpid()


def test_a_folder_of_a_newer_modelyard_is_left_alone(folder: DataFolder) -> None:
    folder.root.mkdir()
    stamp = folder.root / "VERSION.json"
    stamp.write_text(json.dumps({"version": "9.1", "format": FORMAT + 1}))
    said = r"was written by modelyard 9\.1 \(format 2\).*install that version"
    with pytest.raises(FolderTooNew, match=said), folder.claimed():
        pass
    assert [path.name for path in folder.root.iterdir()] == ["VERSION.json"]


def test_a_folder_with_other_things_in_it_is_left_alone(folder: DataFolder) -> None:
    folder.root.mkdir()
    (folder.root / "thesis.tex").write_text("mine")
    with pytest.raises(FolderNotOurs, match="is not empty and is not a data folder of modelyard"), folder.claimed():
        pass
    assert [path.name for path in folder.root.iterdir()] == ["thesis.tex"]


def test_a_file_in_its_place_is_said(folder: DataFolder) -> None:
    folder.root.write_text("a file")
    with pytest.raises(FolderNotOurs, match="is not a folder; choose another with --dir"), folder.claimed():
        pass


def test_what_runs_is_told_only_while_it_runs(folder: DataFolder) -> None:
    with folder.claimed():
        assert folder.read_up() is None
        folder.write_up({"address": "127.0.0.1:1"})
        assert folder.read_up() == {"address": "127.0.0.1:1"}
    assert folder.read_up() is None
    folder.write_up({"address": "left by one that was killed"})
    assert folder.read_up() is None


def test_sockets_go_into_the_folder_or_where_their_path_is_short_enough(tmp_path: Path) -> None:
    short = DataFolder(tmp_path / "d")
    short.root.mkdir()
    assert short.run_folder() == short.root / "run"
    long = DataFolder(tmp_path / ("long" * 30))
    long.root.mkdir()
    run = long.run_folder()
    try:
        assert run != long.root / "run"
        assert run == long.run_folder()
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        run.chmod(0o755)
        with pytest.raises(FolderNotOurs, match="open to others"):
            long.run_folder()
    finally:
        run.rmdir()


def test_a_start_that_was_broken_off_anywhere_can_be_repeated(tmp_path: Path) -> None:
    for left in ("lock", "VERSION.json.new"):
        root = tmp_path / left
        root.mkdir()
        (root / left).touch()
        with DataFolder(root).claimed():
            assert (root / "VERSION.json").exists()


def test_a_damaged_stamp_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "VERSION.json").write_text("{")
    with pytest.raises(FolderNotOurs, match="is damaged"), DataFolder(tmp_path).claimed():
        pass


def test_who_looks_is_not_taken_for_a_supervisor(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "f")
    with folder.claimed():
        pass
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.01):
            assert folder.supervisor() in (None, 0, os.getpid())

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(20):
            with folder.claimed():
                pass
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_sockets_of_a_killed_process_are_removed_with_their_folder(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "f")
    with folder.claimed():
        (folder.run_folder() / "left.sock").touch()
        folder.remove_run_folder()
        assert not (tmp_path / "f" / "run").exists()
        folder.remove_run_folder()


def test_an_address_that_a_killed_one_has_left_is_not_believed_while_the_next_starts(folder: DataFolder) -> None:
    with folder.claimed():
        folder.write_up({"address": "127.0.0.1:9"})
        left = folder.up_file.read_text()
    folder.up_file.write_text(left)
    with folder.claimed():
        assert folder.read_up() is None
