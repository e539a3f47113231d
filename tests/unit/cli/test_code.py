"""What somebody's code on disk is, before anything of it is sent."""

from pathlib import Path

import pytest

from modelyard.cli.code import is_path, read_code
from modelyard.sdk.errors import InvalidArgument

TEMPLATE = 'entry = "train:main"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """train.py with a function main, and a module beside it."""
    folder = tmp_path / "My Package"
    folder.mkdir()
    (folder / "train.py").write_text("import layers\n\ndef main() -> None:\n    pass\n")
    (folder / "layers.py").write_text("SIZE = 3\n")
    return folder


def refused(path: Path, entry: str = "") -> tuple[str, str]:
    with pytest.raises(InvalidArgument) as error:
        read_code(path, entry)
    return error.value.reason, error.value.message


@pytest.mark.parametrize("target", ["./mine", "mine/", "train.py", "../x", "/a/b", ".", ".."])
def test_what_has_a_slash_or_ends_in_py_is_a_path(target: str) -> None:
    assert is_path(target)


@pytest.mark.parametrize("target", ["image-classification", "mypackage", "mypackage@2", "train"])
def test_everything_else_is_a_name(target: str) -> None:
    assert not is_path(target)


def test_one_file_is_a_script_named_after_itself(folder: Path) -> None:
    code = read_code(folder / "train.py")
    assert (code.package, code.entry, list(code.sources)) == ("train", "train", ["train.py"])


def test_a_folder_begins_where_its_template_says(folder: Path) -> None:
    (folder / "template.toml").write_text(TEMPLATE)
    code = read_code(folder)
    assert (code.package, code.entry) == ("my-package", "train:main")
    assert sorted(code.sources) == ["layers.py", "template.toml", "train.py"]


def test_what_is_said_goes_before_the_template(folder: Path) -> None:
    (folder / "template.toml").write_text(TEMPLATE)
    assert read_code(folder, "layers").entry == "layers"


def test_a_folder_of_one_module_needs_nothing_said(folder: Path) -> None:
    (folder / "layers.py").unlink()
    assert read_code(folder).entry == "train"


def test_of_several_modules_one_must_be_named(folder: Path) -> None:
    reason, message = refused(folder)
    assert reason == "ENTRY_NEEDED"
    assert "has the modules layers, train; say which one begins: --entry layers:main" in message


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("trian", "has no trian.py; did you mean 'train'?"),
        ("nothing:main", "has no nothing.py; there is layers, train"),
        ("train:mian", "train.py has no function 'mian'; did you mean 'main'?"),
        ("layers:go", "layers.py has no function 'go'; there is SIZE"),
    ],
)
def test_an_entry_that_is_not_there_is_said_with_what_is(folder: Path, entry: str, hint: str) -> None:
    reason, message = refused(folder, entry)
    assert reason == "ENTRY_NOT_FOUND"
    assert hint in message


@pytest.mark.parametrize("text", ["from layers import *\n", "def main(:\n"])
def test_what_only_running_it_tells_is_left_to_the_job(folder: Path, text: str) -> None:
    (folder / "train.py").write_text(text)
    assert read_code(folder, "train:main").entry == "train:main"


def test_a_function_may_come_from_elsewhere(folder: Path) -> None:
    (folder / "train.py").write_text("from layers import SIZE as main\n")
    assert read_code(folder, "train:main").entry == "train:main"


def test_what_is_no_code_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    assert refused(tmp_path / "data")[0] == "NO_CODE"
    assert refused(tmp_path / "notes.txt")[0] == "NO_CODE"
    assert refused(tmp_path / "gone") == (
        "CODE_NOT_FOUND",
        f"{tmp_path}/gone does not exist; give a folder or a .py file",
    )


def test_modules_further_down_are_no_beginning(tmp_path: Path) -> None:
    (tmp_path / "mine" / "inner").mkdir(parents=True)
    (tmp_path / "mine" / "inner" / "train.py").write_text("")
    reason, message = refused(tmp_path / "mine")
    assert reason == "NO_CODE"
    assert "at its top" in message


def test_a_template_that_is_no_toml_is_said_before_anything_is_sent(folder: Path) -> None:
    (folder / "template.toml").write_text("entry = ")
    assert refused(folder)[0] == "TEMPLATE_INVALID"


def test_caches_environments_and_hidden_files_stay_here(folder: Path) -> None:
    for name in (".secret", "__pycache__/train.pyc", "venv/pyvenv.cfg", "venv/lib/site.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    code = read_code(folder, "train:main")
    assert sorted(code.sources) == ["layers.py", "train.py"]
    assert set(code.skipped) == {".secret", "__pycache__/", "venv/"}
