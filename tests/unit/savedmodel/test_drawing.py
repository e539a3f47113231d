"""Which models draw random numbers, and which of them TensorFlow refuses to run while it is deterministic."""

from types import SimpleNamespace
from typing import Any

from modelyard.savedmodel.drawing import DRAWING, SEEDED, drawn_with, unseeded
from modelyard.trainer.gates.operations import known


def node(op: str, seed: int = 0, seed2: int = 0) -> Any:
    return SimpleNamespace(op=op, attr={"seed": SimpleNamespace(i=seed), "seed2": SimpleNamespace(i=seed2)})


def graph(*nodes: Any, inside: Any = ()) -> Any:
    function = SimpleNamespace(node_def=list(inside))
    return SimpleNamespace(graph_def=SimpleNamespace(node=list(nodes), library=SimpleNamespace(function=[function])))


def test_they_are_found_in_the_graph_and_in_its_functions() -> None:
    assert drawn_with(graph(node("MatMul"))) == ()
    made = graph(node("RandomUniform"), inside=[node("StatelessRandomNormalV2"), node("RandomUniform"), node("Add")])
    assert drawn_with(made) == ("RandomUniform", "StatelessRandomNormalV2")


def test_one_without_a_seed_is_enough() -> None:
    assert not unseeded(graph(node("RandomUniform", seed2=7), node("Multinomial", seed=1), node("Add")))
    assert unseeded(graph(node("RandomUniform", seed2=7), inside=[node("Multinomial")]))


def test_those_that_get_their_seed_with_each_call_run_in_any_case() -> None:
    assert not unseeded(graph(node("StatelessRandomNormalV2"), node("StatefulUniform")))


def test_all_of_them_are_operations_of_tensorflow_that_may_be_served() -> None:
    assert SEEDED < DRAWING
    assert {op: known()[op] for op in DRAWING} == dict.fromkeys(DRAWING, "")
