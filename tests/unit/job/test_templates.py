from pathlib import Path

import pytest

from modelyard.templates.needs import DataNeeds, DataSeen
from modelyard.templates.parameters import ParameterInvalid, TemplateInvalid
from modelyard.templates.specs import (
    Kind,
    TemplateUnknown,
    get_template,
    list_templates,
    parse_template,
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
        ("zebra", 3, "has no parameter 'zebra'; it has network, epochs"),
    ],
)
def test_a_value_that_is_not_taken_is_refused_by_field_and_range(name: str, value: object, words: str) -> None:
    with pytest.raises(ParameterInvalid) as caught:
        get_template("image-classification").complete({name: value})
    assert caught.value.field == f"parameters.{name}"
    assert words in caught.value.message


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


@pytest.mark.parametrize(
    ("kind", "left_out", "words"),
    [
        ("training", "metric", "lacks 'metric'"),
        ("training", "dataset", "lacks 'dataset'"),
        ("evaluation", "dataset", "lacks 'dataset'"),
        ("import", "entry", "lacks 'entry'"),
        ("import", "dataset", ""),
        ("evaluation", "metric", ""),
        ("profile", "metric", ""),
        ("prediction", "dataset", ""),
    ],
)
def test_a_shipped_template_says_what_its_kind_needs(tmp_path: Path, kind: str, left_out: str, words: str) -> None:
    lines = [f'kind = "{kind}"', *TOML.format(parameter='type = "int"\ndefault = 0').splitlines()]
    (tmp_path / "template.toml").write_text("\n".join(line for line in lines if not line.startswith(left_out)))
    if words:
        with pytest.raises(TemplateInvalid, match=words):
            read_template(tmp_path)
    else:
        template = read_template(tmp_path)
        assert template.kind == kind
        assert template.data.required is (kind != "import")


def test_a_package_may_leave_out_everything() -> None:
    template = parse_template("", "mine")
    assert (template.kind, template.entry, template.parameters, template.data) == (Kind.TRAINING, "", (), DataNeeds())
    template.check_dataset(DataSeen("sounds", "audio", "class_folders", (), ()))
    with pytest.raises(ParameterInvalid, match="mine has no parameter 'lr'; it has none"):
        template.complete({"lr": 1})


def test_a_packages_parameters_have_types_defaults_and_limits() -> None:
    text = """
        [parameters.lr]
        type = "float"
        default = 1
        [parameters.kind]
        type = "string"
        default = "a"
        choices = ["a", "b"]
    """
    completed = parse_template(text, "mine").complete({"kind": "b"})
    assert completed == {"lr": 1.0, "kind": "b"}
    assert isinstance(completed["lr"], float)


PARAMETER = "[parameters.x]\ntype = 'int'\ndefault = 1\n"


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("kinds = 1", "kinds", "the unknown key 'kinds'; did you mean 'kind'?"),
        ("[dataset]\nsplit = []", "dataset.split", "the unknown key 'dataset.split'; did you mean 'splits'?"),
        ("[metric]\nnam = 'x'", "metric.nam", "did you mean 'name'?"),
        (PARAMETER + "help = 1", "parameters.x.help", "must be text"),
        (PARAMETER + "step = 1", "parameters.x.step", "has the unknown key 'step'"),
        (PARAMETER + "min = 2\nmax = 1", "parameters.x.min", "is above"),
        (PARAMETER + "min = 'a'", "parameters.x.min", "must be a number"),
        (PARAMETER + "min = nan", "parameters.x.min", "must be a number"),
        (PARAMETER + "min = true", "parameters.x.min", "must be a number"),
        (PARAMETER + "choices = 3", "parameters.x.choices", "must be a list"),
        (PARAMETER + "choices = [1, 'many']", "parameters.x.choices", "a choice is not allowed"),
        (PARAMETER + "choices = [2]", "parameters.x.default", "must be one of 2"),
        ("[parameters.x]\ntype = ['int']\ndefault = 1", "parameters.x.type", "of the unknown type"),
        ("[parameters.x]\ndefault = 1", "parameters.x.type", "lacks 'type'"),
        ("[parameters.x]\ntype = 'int'\ndefault = 9007199254740993", "parameters.x.default", "at most 2^53"),
        ("[parameters]\nx = 1", "parameters.x", "must be a table"),
        ("[parameters.'a b']\ntype = 'int'\ndefault = 1", "parameters", "a name is 1 to 64 letters"),
        ("parameters = 1", "parameters", "must be a table"),
        ("dataset = []", "dataset", "must be a table"),
        ("kind = 'batch'", "kind", "must be one of training, evaluation, import"),
        ("kind = ['import']", "kind", "must be one of"),
        ("kind = 'evaluation'", "kind", "a package of one's own is of kind 'training'"),
        ("entry = 3", "entry", "must be text"),
        ("[dataset]\nlayouts = 'idx'", "dataset.layouts", "must be a list of texts"),
        ("[dataset]\nsplits = [1]", "dataset.splits", "must be a list of texts"),
        ("[dataset]\nmodality = 'images'", "dataset.modality", "has 'images'; there is image, text"),
        ("[dataset]\nmodality = ['image', 1]", "dataset.modality", "must be a list of texts"),
        ("[dataset]\ninputs = ['picture']", "dataset.inputs", "has 'picture'; there is image, audio"),
        ("[dataset]\ntarget = ['class']", "dataset.target", "has 'class'; there is image"),
        ("[dataset]\nroles = ['viewer']", "dataset.roles", "has 'viewer'; there is input"),
        ("[dataset]\nrequired = false", "dataset.required", "is for kind 'import'"),
        ("[dataset]\nrequired = 0", "dataset.required", "must be true or false"),
        ("[metric]\ngoal = 'up'", "metric.goal", "must be one of maximize, minimize"),
        ("".join(f"[parameters.x{n}]\ntype='int'\ndefault=1\n" for n in range(257)), "parameters", "257 parameters"),
        ("#" * 65_537, "", "more than 65536 bytes"),
        ("x = " + "[" * 30_000, "", "is not TOML"),
        ("x = " + "9" * 5000, "", "is not TOML"),
        ("\0", "", "is not TOML"),
    ],
)
def test_a_packages_template_that_is_wrong_names_the_key(text: str, field: str, words: str) -> None:
    with pytest.raises(TemplateInvalid) as caught:
        parse_template(text, "mine")
    assert caught.value.field == field
    assert caught.value.message.startswith("mine: ")
    assert words in caught.value.message


def test_a_context_outside_a_job_says_how_to_start_one() -> None:
    from modelyard.job.errors import NoJob

    with pytest.raises(NoJob, match="modelyard train"):
        from modelyard.job import context  # noqa: F401
