"""What a person sees of an error in their own code."""

import sys
from pathlib import Path

import pytest

from modelyard.job import code
from modelyard.job.frames import of_code


@pytest.fixture(autouse=True)
def no_code_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def shown(folder: Path, text: str, entry: str = "train", packages: tuple[Path, ...] = ()) -> str:
    """What is printed when this script fails."""
    (folder / "train.py").write_text(text)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the script raises
        code.run(folder, entry, packages)
    return of_code(caught.value, folder)


def test_a_file_that_is_no_python_shows_itself_only(tmp_path: Path) -> None:
    text = shown(tmp_path, "x = 1\nif x\n    pass\n")
    assert text.startswith('  File "train.py", line 2\n    if x\n')
    assert text.endswith("SyntaxError: expected ':'\n")


def test_an_error_shows_the_frames_of_the_code_and_nothing_of_what_started_it(tmp_path: Path) -> None:
    text = shown(tmp_path, "def f():\n    1 / 0\n\nf()\n")
    assert text.count("File ") == 2
    assert 'File "train.py", line 4, in <module>' in text
    assert 'File "train.py", line 2, in f' in text
    assert text.endswith("ZeroDivisionError: division by zero\n")


def test_of_libraries_their_names_are_shown_and_of_ours_nothing(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/deep_library.py").write_text("def a(call):\n    b(call)\n\ndef b(call):\n    call()\n")
    (tmp_path / "code").mkdir()
    script = (
        "import deep_library, modelyard.tree\n"
        "def back():\n    modelyard.tree.plan_packs(1)\n\n"
        "try:\n    deep_library.a(back)\nexcept TypeError as error:\n    raise ValueError('why') from error\n"
    )
    text = shown(tmp_path / "code", script, packages=(tmp_path / "site",))
    assert "  … 2 frames of deep_library\n" in text
    assert "direct cause of the following exception" in text
    assert text.count("File ") == text.count('File "train.py"') == 3
    assert text.endswith("ValueError: why\n")


def test_an_entry_that_is_not_there_is_a_line(tmp_path: Path) -> None:
    text = shown(tmp_path, "", "train:run")
    assert "File " not in text
    assert text.endswith("train.py has no function 'run'\n")


def test_an_error_of_which_the_code_is_no_part_keeps_all_its_frames(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere") as caught:
        (tmp_path / "nowhere").read_text()
    assert "test_frames.py" in of_code(caught.value, tmp_path / "code")
