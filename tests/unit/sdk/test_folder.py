import hashlib
import os
import unicodedata
from pathlib import Path

import pytest

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source, hash_files, read_pack, scan
from modelyard.tree import File, plan_packs


def test_a_folder_is_walked_without_what_desktops_leave_behind(tmp_path: Path) -> None:
    for path in ("a/1.png", "a/.DS_Store", "a/._1.png", "b/Thumbs.db", ".git/config", "b/deep/2.png", "empty/x"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    found = scan(tmp_path)
    assert set(found) == {"a/1.png", "b/deep/2.png", "empty/x"}
    assert found["a/1.png"] == Source(7, tmp_path / "a/1.png")


def test_two_files_whose_names_differ_in_how_accents_are_written_are_refused(tmp_path: Path) -> None:
    names = [unicodedata.normalize(form, "caf\u00e9.png") for form in ("NFC", "NFD")]
    for name in names:
        (tmp_path / name).write_text(name)
    with pytest.raises(InvalidArgument, match="rename one") as refused:
        scan(tmp_path)
    assert all(str(tmp_path / name) in refused.value.message for name in names)


@pytest.mark.parametrize("target", ["real", "missing"])
def test_a_link_is_an_error_and_not_a_surprise(tmp_path: Path, target: str) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InvalidArgument, match="link is a link or a device") as refused:
        scan(tmp_path)
    assert refused.value.reason == "NOT_A_REGULAR_FILE"


@pytest.mark.parametrize("target", ["/etc/passwd", "../beside", "/", "../folder-too"])
def test_a_link_that_leaves_the_folder_says_where_it_goes(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (tmp_path / "folder-too").mkdir()
    (folder / "link").symlink_to(target)
    with pytest.raises(
        InvalidArgument, match=r"link is a link to /.*, outside of .*/folder; .* remove the link"
    ) as refused:
        scan(folder)
    assert refused.value.reason == "LINK_LEAVES_FOLDER"


def test_what_is_skipped_is_named_and_not_looked_into(tmp_path: Path) -> None:
    for path in ("keep/a", "keep/b.tmp", "skip/deep/c", ".git/config"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "skip" / "link").symlink_to("/etc")
    skipped: list[str] = []
    found = scan(tmp_path, skip=lambda entry: entry.name in ("skip", "b.tmp"), skipped=skipped)
    assert set(found) == {"keep/a"}
    assert skipped == ["keep/b.tmp", "skip/"]


def test_a_link_to_a_folder_and_a_pipe_are_errors_too(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "loop").symlink_to(tmp_path)
    with pytest.raises(InvalidArgument, match="loop is a link or a device"):
        scan(tmp_path)
    (tmp_path / "two").mkdir()
    os.mkfifo(tmp_path / "two" / "pipe")
    with pytest.raises(InvalidArgument, match="pipe is a link or a device"):
        scan(tmp_path / "two")


def test_what_is_no_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidArgument, match="file is not a folder; give the folder that holds the files"):
        scan(tmp_path / "file")
    with pytest.raises(InvalidArgument, match="missing does not exist; give the folder that holds the files"):
        scan(tmp_path / "missing")


def test_a_name_that_no_tree_may_hold_is_to_be_changed(tmp_path: Path) -> None:
    (tmp_path / "line\nbreak").write_text("x")
    with pytest.raises(InvalidArgument, match="rename") as refused:
        scan(tmp_path)
    assert refused.value.reason == "PATH_INVALID"


def test_names_are_normal_form_c_whatever_the_disk_has(tmp_path: Path) -> None:
    (tmp_path / "u\u0308").write_text("x")
    assert list(scan(tmp_path)) == ["ü"]


def test_hashes_are_those_of_the_content_wherever_it_is(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"on disk")
    seen: list[tuple[str, int, int]] = []
    sources = {"b": Source(7, tmp_path / "b"), "a": Source(4, content=b"here")}
    files = hash_files(sources, lambda *step: seen.append(step))
    assert files == [
        File("a", 4, hashlib.sha256(b"here").hexdigest()),
        File("b", 7, hashlib.sha256(b"on disk").hexdigest()),
    ]
    assert seen == [("hashing", 4, 11), ("hashing", 11, 11)]


def test_any_part_of_a_pack_is_what_its_files_make_one_behind_the_other() -> None:
    contents = {f"{number:02}": bytes([number]) * (number % 5) for number in range(20)}
    sources = {path: Source(len(content), content=content) for path, content in contents.items()}
    plan = plan_packs(hash_files(sources))
    (pack,) = plan.packs
    whole = read_pack(pack.files, sources, 0, pack.size)
    for entry in plan.entries:
        assert whole[entry.offset : entry.offset + entry.size] == contents[entry.path]
    for start in range(pack.size):
        for length in (1, 3, pack.size - start):
            if start + length <= pack.size:
                assert read_pack(pack.files, sources, start, length) == whole[start : start + length]


def test_a_file_that_shrank_meanwhile_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"long enough")
    sources = scan(tmp_path)
    plan = plan_packs(hash_files(sources))
    (tmp_path / "a").write_bytes(b"short")
    with pytest.raises(InvalidArgument, match="push again"):
        read_pack(plan.packs[0].files, sources, 0, plan.packs[0].size)
