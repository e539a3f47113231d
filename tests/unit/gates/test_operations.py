"""The allow-list, on graphs written down node by node."""

import pytest

from modelyard.api.serving.v1 import saved_model_pb2
from modelyard.trainer.gates import graph, operations
from modelyard.trainer.gates.graph import Operation

Node = saved_model_pb2.Node


def used(op: str, **more: object) -> Operation:
    return Operation(op, "n", "", **{"saving": False, **more})  # type: ignore[arg-type]


def meta(
    nodes: list[Node], functions: dict[str, list[Node]] | None = None, output: str = "out:0"
) -> saved_model_pb2.MetaGraph:
    made = saved_model_pb2.MetaGraph()
    made.graph_def.node.extend(nodes)
    for name, inside in (functions or {}).items():
        function = made.graph_def.library.function.add()
        function.signature.name = name
        function.node_def.extend(inside)
    made.signature_def["serving_default"].outputs["y"].name = output
    made.saver_def.restore_op_name = "restore"
    return made


def call(name: str, function: str, *inputs: str) -> Node:
    node = Node(name=name, op="StatefulPartitionedCall", input=inputs)
    node.attr["f"].func.name = function
    return node


@pytest.mark.parametrize(
    "op", ["MatMul", "Conv2D", "FusedBatchNormV3", "LookupTableFindV2", "DecodeJpeg", "ParseExampleV2"]
)
def test_what_models_compute_with_is_allowed(op: str) -> None:
    assert operations.judge([used(op)]) == ""


@pytest.mark.parametrize(
    ("op", "why"),
    [
        ("ReadFile", "reads or writes files"),
        ("WriteFile", "reads or writes files"),
        ("MatchingFiles", "reads or writes files"),
        ("FileSystemSetConfiguration", "reads or writes files"),
        ("ImmutableConst", "reads or writes files"),
        ("DecodeProtoV2", "reads or writes files"),
        ("CreateSummaryFileWriter", "reads or writes files"),
        ("PyFunc", "runs Python code"),
        ("EagerPyFunc", "runs Python code"),
        ("RpcCall", "talks to other machines"),
        ("CollectiveReduceV2", "talks to other machines"),
        ("DebugIdentityV2", "writes debugging data"),
        ("TFRecordDataset", "reads an input pipeline"),
        ("QueueDequeueV2", "waits in a queue"),
        ("RemoteCall", "is for other devices"),
        ("Abort", "ends the model server"),
        ("SaveV2", "reads or writes files"),
        ("Addons>Gelu", "is none of TensorFlow's own"),
    ],
)
def test_what_reaches_out_is_refused_with_its_place(op: str, why: str) -> None:
    problem = operations.judge([used(op)])
    assert problem.startswith(f"operation {op} (node 'n' in the graph) {why}")
    assert problem.endswith("; export the model without it")


def test_three_are_named_and_the_rest_counted() -> None:
    problem = operations.judge([used(op) for op in ("ReadFile", "WriteFile", "PyFunc", "Abort", "ReadFile")])
    assert problem.count("operation ") == 3
    assert "and 1 more operations are refused" in problem


def test_saving_is_allowed_where_no_prediction_reaches_it() -> None:
    nodes = [Node(name="out", op="Relu"), Node(name="restore", op="RestoreV2"), call("save", "saver")]
    found = list(graph.operations(meta(nodes, {"saver": [Node(name="s", op="SaveV2")]})))
    assert operations.judge(found) == ""
    assert {each.op for each in found if each.saving} == {"RestoreV2", "SaveV2", "StatefulPartitionedCall"}


@pytest.mark.parametrize(
    "nodes",
    [
        [Node(name="out", op="Relu", input=["deep:1"]), Node(name="deep", op="SaveV2")],
        [Node(name="out", op="Relu", input=["^first"]), Node(name="first", op="SaveV2")],
        [call("out", "outer")],
        [Node(name="out", op="outer")],
    ],
)
def test_saving_is_refused_wherever_a_prediction_reaches_it(nodes: list[Node]) -> None:
    functions = {"outer": [call("c", "inner")], "inner": [Node(name="s", op="SaveV2")]}
    assert "SaveV2" in operations.judge(graph.operations(meta(nodes, functions)))


def test_a_function_that_only_the_loader_may_call_is_judged_as_one_that_runs() -> None:
    found = graph.operations(meta([Node(name="out", op="Relu")], {"hidden": [Node(name="s", op="SaveV2")]}))
    assert "in function 'hidden'" in operations.judge(found)


def test_initialisation_counts_as_reached() -> None:
    made = meta(
        [Node(name="out", op="Relu"), Node(name="init", op="NoOp", input=["^evil"]), Node(name="evil", op="SaveV2")]
    )
    assert operations.judge(graph.operations(made)) == ""
    made.collection_def["saved_model_main_op"].node_list.value.append("init")
    assert "SaveV2" in operations.judge(graph.operations(made))


@pytest.mark.parametrize(("stream", "allowed"), [(b"stderr", True), (b"file:///tmp/x", False)])
def test_printing_goes_to_no_file(stream: bytes, allowed: bool) -> None:
    node = Node(name="out", op="PrintV2")
    node.attr["output_stream"].s = stream
    assert (operations.judge(graph.operations(meta([node]))) == "") is allowed


def test_tables_are_filled_from_assets_only() -> None:
    nodes = [
        Node(name="out", op="NoOp", input=["^fill"]),
        Node(name="fill", op="InitializeTableFromTextFileV2", input=["table", "path"]),
        Node(name="table", op="HashTableV2"),
        Node(name="path", op="Const"),
    ]
    made = meta(nodes)
    assert "reads a file that is no asset of the model" in operations.judge(graph.operations(made))
    made.asset_file_def.add(filename="words.txt").tensor_info.name = "path:0"
    assert operations.judge(graph.operations(made)) == ""


def test_a_constant_larger_than_a_file_can_hold_is_named() -> None:
    node = Node(name="big", op="Const")
    for size in (1 << 20, 1 << 20):
        node.attr["value"].tensor.tensor_shape.dim.add(size=size)
    assert graph.oversized(meta([node])) == "the constant 'big' claims the shape [1048576, 1048576]"
    assert graph.oversized(meta([Node(name="out", op="Const")])) == ""
