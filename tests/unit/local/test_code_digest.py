"""By what `make gallery` knows that a row's code is as it was."""

from pathlib import Path

import pytest

from modelyard.local.gallery.code import LIBRARIES, code_digest
from modelyard.templates.specs import Template, read_template

SPEC = """
title = "Own"
summary = "Learns."
task = "image-classification"
entry = "own:main"
[dataset]
modality = "image"
splits = ["train"]
[metric]
name = "val_accuracy"
goal = "maximize"
[parameters.epochs]
type = "int"
default = 1
help = "How often."
"""


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("own/own.py", "b"),
        ("shared/shared.py", "b"),
        ("shared.py", "b"),
        ("own/template.toml", SPEC.replace("default = 1", "default = 2")),
    ],
)
def test_a_templates_digest_is_of_its_code_its_defaults_and_the_code_it_shares(
    tmp_path: Path, file: str, content: str
) -> None:
    first = code_digest(templates(tmp_path))
    (tmp_path / file).write_text(content)
    assert code_digest(read_template(tmp_path / "own")) != first


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("other/other.py", "b"),
        ("own/README.md", "b"),
        ("own/__pycache__/own.pyc", "b"),
        ("own/template.toml", SPEC.replace("How often", "How many times")),
    ],
)
def test_a_templates_digest_is_not_of_what_leaves_its_figure_as_it_is(tmp_path: Path, file: str, content: str) -> None:
    first = code_digest(templates(tmp_path))
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(content)
    assert code_digest(read_template(tmp_path / "own")) == first


def templates(folder: Path) -> Template:
    """`own` and `other`, and what they share; answers `own`."""
    for file in ("own/own.py", "other/other.py", "shared/shared.py", "shared.py"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text("a")
    for name in ("own", "other"):
        (folder / name / "template.toml").write_text(SPEC)
    return read_template(folder / "own")


@pytest.mark.parametrize("name", ["job", "layouts"])
def test_the_libraries_of_jobs_are_there(name: str) -> None:
    assert [folder for folder in LIBRARIES if folder.name == name and (folder / "__init__.py").is_file()]
