"""Which inputs get other names before a model is loaded."""

from pathlib import Path

import pytest

from modelyard.api.serving.v1 import saved_model_pb2
from modelyard.savedmodel.names import Loadable, loadable, renamed, sayable


def graph(*inputs: str, signature: str = "serving_default") -> saved_model_pb2.MetaGraph:
    made = saved_model_pb2.MetaGraph()
    for name in inputs:
        made.signature_def[signature].inputs[name].name = f"{name}:0"
    return made


@pytest.mark.parametrize("names", [["x"], ["image_bytes", "x:0"], ["a b", "1x"], ["import/x"], ["selfish", "In"], []])
def test_what_tensorflow_makes_parameters_of_stays_as_it_is(names: list[str]) -> None:
    assert sayable(names)
    assert renamed(graph(*names)) == {}


@pytest.mark.parametrize("names", [["in"], ["x", "class"], ["None"], ["self"], ["a-b", "a_b"], ["x:0", "x/0"]])
def test_keywords_and_what_becomes_the_same_parameter_get_other_names(names: list[str]) -> None:
    (found,) = renamed(graph(*names)).values()
    assert sorted(found) == sorted(names)
    assert list(found.values()) == [f"input_{number}" for number in range(len(names))]


def test_only_signatures_that_can_be_asked_are_looked_at() -> None:
    assert renamed(graph("in", signature="__saved_model_init_op")) == {}


def test_the_copy_has_the_other_names_and_all_of_the_models_other_files(tmp_path: Path) -> None:
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "variables" / "variables.index").write_text("index")
    (model / "fingerprint.pb").write_text("of the graph as it was")
    saved = saved_model_pb2.SavedModel()
    saved.meta_graphs.add().CopyFrom(graph("x", "in"))
    (model / "saved_model.pb").write_bytes(saved.SerializeToString())
    with loadable(model, saved, saved.meta_graphs[0]) as place:
        assert sorted(path.name for path in place.folder.iterdir()) == ["saved_model.pb", "variables"]
        assert (place.folder / "variables" / "variables.index").read_text() == "index"
        (copy,) = saved_model_pb2.SavedModel.FromString((place.folder / "saved_model.pb").read_bytes()).meta_graphs
        inputs = copy.signature_def["serving_default"].inputs
        assert {name: info.name for name, info in inputs.items()} == {"input_0": "in:0", "input_1": "x:0"}
    assert not place.folder.exists()
    assert sorted(saved.meta_graphs[0].signature_def["serving_default"].inputs) == ["in", "x"]
    arguments = place.arguments("serving_default", {"in": 1, "x": 2})
    assert arguments == {"input_0": 1, "input_1": 2}
    assert place.own("serving_default", arguments) == {"in": 1, "x": 2}


def test_a_model_that_needs_no_copy_is_loaded_where_it_is(tmp_path: Path) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.meta_graphs.add().CopyFrom(graph("x"))
    with loadable(tmp_path, saved, saved.meta_graphs[0]) as place:
        assert place == Loadable(tmp_path)
        assert place.arguments("serving_default", {"x": 1}) == {"x": 1}
