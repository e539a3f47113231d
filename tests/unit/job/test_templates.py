import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.templates.specs import (
    DatasetNotForTemplate,
    ParameterInvalid,
    TemplateInvalid,
    TemplateUnknown,
    get_template,
    list_templates,
    read_template,
)


def test_every_shipped_template_is_complete() -> None:
    assert "image-classification" in [template.name for template in list_templates()]
    for template in list_templates():
        module = template.entry.partition(":")[0]
        assert (template.folder / f"{module}.py").is_file()
        assert (template.folder / "README.md").read_text().startswith(f"# {template.name}\n")
        assert all(parameter.help.endswith(".") for parameter in template.parameters)


def test_parameters_that_are_not_given_have_the_founding_defaults() -> None:
    parameters = get_template("image-classification").complete({})
    assert parameters["epochs"] == 10
    assert parameters["batch_size"] == 32
    assert parameters["learning_rate"] == 0.001


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("epochs", "3", 3),
        ("epochs", 3.0, 3),
        ("learning_rate", "1e-2", 0.01),
        ("learning_rate", 1, 1.0),
        ("batch_size", 65536, 65536),
    ],
)
def test_values_come_as_text_or_as_protobufs_numbers(name: str, value: object, expected: float) -> None:
    read = get_template("image-classification").complete({name: value})[name]
    assert read == expected
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("epochs", 0, "parameter epochs is 0; it must be between 1 and 10000"),
        ("epochs", "three", "parameter epochs is 'three'; it must be a whole number"),
        ("epochs", 2.5, "it must be a whole number"),
        ("epochs", True, "it must be a whole number"),
        ("epochs", None, "it must be a whole number"),
        ("learning_rate", "nan", "it must be a number"),
        ("learning_rate", 11, "it must be between 1e-08 and 10"),
        ("epocs", 3, "has no parameter 'epocs'; did you mean 'epochs'?"),
        ("zebra", 3, "has no parameter 'zebra'; it has epochs"),
    ],
)
def test_a_value_that_is_not_taken_is_refused_by_field_and_range(name: str, value: object, words: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        get_template("image-classification").complete({name: value})
    assert caught.value.field == f"parameters.{name}"
    assert words in caught.value.message


def test_a_dataset_of_another_kind_does_not_fit() -> None:
    template = get_template("image-classification")
    template.check_dataset("image", "idx", ["train", "test"])
    for modality, layout, splits, words in [
        ("text", "idx", ["train"], "is of texts; the template reads images"),
        ("image", "video_files", ["train"], "has layout 'video_files'"),
        ("image", "idx", ["test"], "has no split 'train'"),
    ]:
        with pytest.raises(DatasetNotForTemplate, match=words):
            template.check_dataset(modality, layout, splits)


def test_an_unknown_template_suggests_the_nearest() -> None:
    with pytest.raises(TemplateUnknown, match="did you mean 'image-classification'"):
        get_template("image-clasification")


TOML = """
title = "t"
summary = "s"
task = "x"
entry = "train:main"
dataset = {{ modality = "image", layouts = ["idx"], splits = ["train"] }}
metric = {{ name = "loss", goal = "minimize" }}
[parameters.size]
{parameter}
help = "h."
"""


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (
            'type = "int"\ndefault = 0\nmin = 1',
            "the default is not allowed: parameter size is 0; it must be at least 1",
        ),
        ('type = "integer"\ndefault = 0', "is of the unknown type 'integer'"),
        ('type = "int"\ndefault = 0\nminimum = 1', "has the unknown key 'minimum'"),
        ('type = "int"', "lacks 'default'"),
        ("type = int", "is not TOML"),
        ('type = "string"\ndefault = "a"\nchoices = ["b", "c"]', "it must be one of b, c"),
    ],
)
def test_a_template_that_is_wrong_says_where(tmp_path: Path, parameter: str, words: str) -> None:
    (tmp_path / "template.toml").write_text(TOML.format(parameter=parameter))
    with pytest.raises(TemplateInvalid) as caught:
        read_template(tmp_path)
    assert words in caught.value.message


def test_reading_messages_indexes_and_templates_imports_no_tensorflow() -> None:
    modules = "modelyard.job.messages, modelyard.job.examples, modelyard.templates.specs, modelyard.tree"
    script = f"import {modules}; import sys; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]


def test_a_context_outside_a_job_says_how_to_start_one() -> None:
    from modelyard.job.errors import NoJob

    with pytest.raises(NoJob, match="modelyard train"):
        from modelyard.job import context  # noqa: F401
