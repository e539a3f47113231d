from pathlib import Path

import pytest

from modelyard.modelserver.batching import Limits
from modelyard.modelserver.errors import UsageError
from modelyard.modelserver.flags import parse
from modelyard.modelserver.model_config import batching_limits, configuration, read
from modelyard.modelserver.versions import All, Latest, ModelTarget, Specific, choose, scan


def written(folder: Path, text: str) -> Path:
    path = folder / "config"
    path.write_text(text)
    return path


def test_one_model_comes_from_two_flags() -> None:
    targets, limits = configuration(parse(["--model_name=digits", "--model_base_path=/m"]).options)
    assert (targets, limits) == ([ModelTarget("digits", "/m", Latest(1), {})], None)


def test_several_models_come_from_a_file(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """model_config_list {
          config { name: "a" base_path: "/a" model_version_policy { latest { num_versions: 2 } } }
          config { name: "b" base_path: "/b" model_version_policy { specific { versions: 4 } }
                   version_labels { key: "canary" value: 4 } }
          config { name: "c" base_path: "/c" model_platform: "tensorflow" model_version_policy { all {} } }
        }""",
    )
    assert read(path) == [
        ModelTarget("a", "/a", Latest(2), {}),
        ModelTarget("b", "/b", Specific((4,)), {"canary": 4}),
        ModelTarget("c", "/c", All(), {}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list { nonsense: 1 }", "is not a ModelServerConfig in text form"),
        ('model_config_list { config { name: "a" } }', "every model needs a name and a base_path"),
        ('model_config_list { config { name: "a" base_path: "m" } }', "absolute path"),
        ('model_config_list { config { name: "a" base_path: "/m" model_platform: "onnx" } }', "'onnx' is not served"),
        (
            'model_config_list { config { name: "a" base_path: "/m" } config { name: "a" base_path: "/n" } }',
            "the model name a is configured twice",
        ),
        (
            'model_config_list { config { name: "a" base_path: "/m" model_version_policy { specific {} } } }',
            "names no version",
        ),
    ],
)
def test_a_configuration_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(written(tmp_path, text))


def test_batching_is_read_from_tensorflow_servings_file(tmp_path: Path) -> None:
    assert batching_limits("") == Limits()
    text = (
        "max_batch_size { value: 32 } batch_timeout_micros { value: 500 } max_enqueued_batches { value: 7 } "
        'num_batch_threads { value: 4 } thread_pool_name { value: "x" } allowed_batch_sizes: 8 allowed_batch_sizes: 32'
    )
    assert batching_limits(str(written(tmp_path, text))) == Limits(32, 0.0005, 7, (8, 32))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_batch_size { value: 0 }", "start at 1"),
        ("allowed_batch_sizes: 8 allowed_batch_sizes: 4", "has to ascend"),
        ("allowed_batch_sizes: 8", "end with max_batch_size"),
        ("pad_variable_length_inputs { value: true }", "not supported"),
        ("max_batch: 1", "is not a BatchingParameters"),
    ],
)
def test_batching_that_makes_no_sense_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        batching_limits(str(written(tmp_path, text)))


def test_versions_are_folders_named_by_a_number(tmp_path: Path) -> None:
    for name in ("1", "0002", "10", "v3", "-4", "5.5", "\u0663"):
        (tmp_path / name).mkdir()
    (tmp_path / "6").write_text("a file")
    found = scan(str(tmp_path))
    assert sorted(found) == [1, 2, 10]
    assert found[2].name == "0002"


def test_policies_choose() -> None:
    assert choose([1, 10, 2], Latest()) == (10,)
    assert choose([1, 10, 2], Latest(2)) == (10, 2)
    assert choose([1, 10, 2], All()) == (10, 2, 1)
    assert choose([1, 10, 2], Specific((1, 2, 7))) == (2, 1)
    assert choose([], Latest()) == ()
