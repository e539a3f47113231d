from pathlib import Path

import pytest

from modelyard.sdk import code
from modelyard.sdk.code import code_sources
from modelyard.sdk.errors import InvalidArgument


def write(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    return folder


def test_caches_environments_and_hidden_files_stay_behind_and_are_named(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        "train.py",
        "nets/__init__.py",
        "nets/old.pyc",
        "nets/__pycache__/x.pyc",
        "template.toml",
        "requirements.txt",
        ".git/config",
        ".venv/pyvenv.cfg",
        ".env",
        "venv/pyvenv.cfg",
        "venv/lib/big.py",
        "node_modules/x.js",
        "venv2/notes.py",
    )
    sources, skipped = code_sources(folder)
    assert set(sources) == {"train.py", "nets/__init__.py", "template.toml", "requirements.txt", "venv2/notes.py"}
    assert sorted(skipped) == sorted(
        [".env", ".git/", ".venv/", "nets/__pycache__/", "nets/old.pyc", "node_modules/", "venv/"]
    )


def test_a_secret_in_a_hidden_file_is_not_sent(tmp_path: Path) -> None:
    sources, _ = code_sources(write(tmp_path, "train.py", ".aws/credentials", "deep/.netrc"))
    assert list(sources) == ["train.py"]


def test_one_file_is_a_package(tmp_path: Path) -> None:
    write(tmp_path, "train.py", "other.py")
    sources, skipped = code_sources(tmp_path / "train.py")
    assert (list(sources), sources["train.py"].size, skipped) == (["train.py"], 8, ())


@pytest.mark.parametrize(
    ("path", "reason"), [("notes.txt", "NO_CODE"), ("empty", "NO_CODE"), ("missing", "PATH_NOT_FOUND")]
)
def test_what_is_no_code_says_so(tmp_path: Path, path: str, reason: str) -> None:
    write(tmp_path, "notes.txt", "empty/readme.md", "empty/.hidden.py")
    with pytest.raises(InvalidArgument) as refused:
        code_sources(tmp_path / path)
    assert refused.value.reason == reason


def test_a_link_out_of_the_code_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", "train.py")
    (folder / "data").symlink_to(tmp_path)
    with pytest.raises(InvalidArgument) as refused:
        code_sources(folder)
    assert refused.value.reason == "LINK_LEAVES_FOLDER"


def test_what_is_too_large_for_code_is_named(tmp_path: Path) -> None:
    write(tmp_path, "train.py", "small.txt")
    for name, size in (("data/a.npy", 60 << 20), ("data/b.npy", 50 << 20)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    with pytest.raises(InvalidArgument) as refused:
        code_sources(tmp_path)
    assert refused.value.reason == "CODE_TOO_LARGE"
    assert "has 110.0 MiB of files; code may have 100.0 MiB" in refused.value.message
    assert "data/a.npy (60.0 MiB), data/b.npy (50.0 MiB), " in refused.value.message
    (tmp_path / "data/b.npy").unlink()
    code_sources(tmp_path)


def test_too_many_files_are_counted_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "MAX_CODE_FILES", 3)
    write(tmp_path, "train.py", "data/1", "data/2")
    code_sources(tmp_path)
    write(tmp_path, "data/3")
    with pytest.raises(InvalidArgument) as refused:
        code_sources(tmp_path)
    assert refused.value.reason == "TOO_MANY_FILES"
    assert "has 4 files; code may have 3. Most lie in data/ (3), the folder itself (1)" in refused.value.message
