"""A SavedModel's graph: its signatures, and every operation in it. Runs in the scanner's process."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import metadata_pb2, saved_model_pb2, tensor_pb2
from modelyard.trainer.gates.files import GRAPH_FILE, NotWhole

TAG = "serve"
INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
MAX_CONSTANT_BYTES = 2 << 30
MAX_DIMENSIONS = 32
FILE_TABLES = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
_ODD_NAMES = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16"}
_TRAVEL = (
    *("FLOAT", "DOUBLE", "HALF", "BFLOAT16", "FLOAT8_E5M2", "FLOAT8_E4M3FN", "COMPLEX64", "COMPLEX128"),
    *("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL", "STRING"),
)
DTYPES = {tensor_pb2.DataType.Value(f"DT_{name}"): _ODD_NAMES.get(name, name.lower()) for name in _TRAVEL}
"""The types that requests and answers can carry."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Where an operation is used."""

    op: str
    node: str
    function: str
    """"" for the graph itself."""
    saving: bool
    """It can only be reached by saving or restoring variables, which a prediction never does."""
    harm: str = ""
    """What this one does, of an operation that is harmless otherwise."""


def read(folder: Path) -> saved_model_pb2.MetaGraph:
    """The graph that is served. Raises NotWhole."""
    try:
        model = saved_model_pb2.SavedModel.FromString((folder / GRAPH_FILE).read_bytes())
    except DecodeError:
        raise NotWhole(f"{GRAPH_FILE} is no SavedModel: it can't be decoded; export the model again") from None
    for graph in model.meta_graphs:
        if list(graph.meta_info_def.tags) == [TAG]:
            return graph
    have = ", ".join("{" + ",".join(graph.meta_info_def.tags) + "}" for graph in model.meta_graphs)[:200]
    raise NotWhole(f"{GRAPH_FILE} has no graph with the tag {TAG!r}; it has {have or 'none'}; save it for serving")


def signatures(graph: saved_model_pb2.MetaGraph) -> Iterator[tuple[str, str, str, str, list[int] | None, str]]:
    """(signature, side, tensor, dtype, shape, what); dtype "" = cannot travel, which `what` it is then says; shape None
    = of any rank."""
    for name, signature in sorted(graph.signature_def.items()):
        if name.startswith("__"):
            continue
        for side, tensors in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            for key, info in sorted(tensors.items()):
                shape = info.tensor_shape
                sizes = None if shape.unknown_rank else [max(dim.size, -1) for dim in shape.dim][:MAX_DIMENSIONS]
                yield name, side, key, DTYPES.get(info.dtype, "") if info.name else "", sizes, _kind(info)


def _kind(info: metadata_pb2.TensorInfo) -> str:
    """As TensorFlow calls it."""
    if not info.name:
        return info.composite_tensor.type_spec.type_spec_class_name.removesuffix("Spec")[:100] or "SparseTensor"
    named = info.dtype in tensor_pb2.DataType.values()
    return tensor_pb2.DataType.Name(info.dtype).removeprefix("DT_").lower() if named else f"type {info.dtype}"


def oversized(graph: saved_model_pb2.MetaGraph) -> str:
    """The first constant that takes more memory than a file can hold; "" if there is none."""
    for function, nodes in _all_nodes(graph):
        for node in nodes:
            if node.op != "Const" or node.attr["value"].WhichOneof("value") != "tensor":
                continue
            shape = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
            # At least a byte each: types do not matter for what is this large.
            if min(shape, default=0) < 0 or math.prod(shape) > MAX_CONSTANT_BYTES:
                where = f" in function {function!r}" if function else ""
                return f"the constant {node.name[:200]!r}{where} claims the shape {shape[:MAX_DIMENSIONS]}"
    return ""


def operations(graph: saved_model_pb2.MetaGraph) -> Iterator[Operation]:
    """Every operation with every function it is used in, once each."""
    calls = Calls(graph)
    assets = {_node_of(asset.tensor_info.name) for asset in _assets(graph)}
    for function, nodes in _all_nodes(graph):
        seen: set[tuple[str, bool, str]] = set()
        by_name = {node.name: node for node in nodes}
        for node in nodes:
            if node.op in calls.functions:
                continue
            saving = function in calls.saving_functions if function else node.name in calls.saving_nodes
            what = (node.op, saving, _harm(node, by_name, assets if not function else set()))
            if what not in seen:
                seen.add(what)
                yield Operation(node.op, node.name, function, saving, what[2])


def _assets(graph: saved_model_pb2.MetaGraph) -> Iterator[saved_model_pb2.AssetFile]:
    yield from graph.asset_file_def
    for packed in graph.collection_def["saved_model_assets"].any_list.value:
        try:
            yield saved_model_pb2.AssetFile.FromString(packed.value)
        except DecodeError:
            continue


def _harm(node: saved_model_pb2.Node, nodes: Mapping[str, saved_model_pb2.Node], assets: set[str]) -> str:
    if node.op == "PrintV2" and node.attr["output_stream"].s.startswith(b"file:"):
        return "writes into a file"
    if node.op in FILE_TABLES and len(node.input) > 1:
        source = nodes.get(_node_of(node.input[1]))
        if source is not None and source.op == "Const" and source.name not in assets:
            return "reads a file that is no asset of the model"
    return ""


class Calls:
    """Who reaches whom in a graph."""

    def __init__(self, graph: saved_model_pb2.MetaGraph) -> None:
        self.functions = {
            function.signature.name: [callee for node in function.node_def for callee in _named(node)]
            for function in graph.graph_def.library.function
        }
        self._nodes = {node.name: node for node in graph.graph_def.node}
        serving = self._reached(_roots(graph))
        if any(not info.name for signature in graph.signature_def.values() for info in signature.outputs.values()):
            # The parts of a sparse or ragged value are not read here: all that does not save counts as reached.
            saver = graph.saver_def
            ends = (saver.save_tensor_name, saver.restore_op_name, saver.filename_tensor_name)
            serving |= self._nodes.keys() - self._reached(map(_node_of, ends))
        self.saving_nodes = self._nodes.keys() - serving
        """Of the graph itself: what no signature and no initialisation needs."""
        called = {name for names in self.functions.values() for name in names}
        called |= {name for node in self._nodes.values() for name in _named(node)}
        # A function that nobody in the graph calls is there for the loader, which may run it.
        roots = self.functions.keys() - called
        roots |= {name for node in serving for name in _named(self._nodes[node])}
        self.saving_functions = self.functions.keys() - self._closure(roots)

    def _reached(self, roots: Iterable[str]) -> set[str]:
        waiting, reached = [name for name in roots if name in self._nodes], set[str]()
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting.extend(source for each in self._nodes[name].input if (source := _node_of(each)) in self._nodes)
        return reached

    def _closure(self, roots: Iterable[str]) -> set[str]:
        waiting, reached = [name for name in roots if name in self.functions], set[str]()
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting.extend(callee for callee in self.functions[name] if callee in self.functions)
        return reached


def _roots(graph: saved_model_pb2.MetaGraph) -> Iterator[str]:
    """The nodes that loading and predicting ask for."""
    for signature in graph.signature_def.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            yield _node_of(info.name)
    for name in _INIT_COLLECTIONS:
        yield from map(_node_of, graph.collection_def[name].node_list.value)


def _named(node: saved_model_pb2.Node) -> Iterator[str]:
    """The functions that a node may call."""
    yield node.op
    for attribute in node.attr.values():
        yield attribute.func.name
        for function in attribute.list.func:
            yield function.name


def _all_nodes(graph: saved_model_pb2.MetaGraph) -> Iterator[tuple[str, list[saved_model_pb2.Node]]]:
    yield "", list(graph.graph_def.node)
    for function in graph.graph_def.library.function:
        yield function.signature.name, list(function.node_def)


def _node_of(tensor: str) -> str:
    """The node of `node`, `node:1` or `^node`."""
    return tensor.removeprefix("^").partition(":")[0]
