"""What a SavedModel on this disk takes, read without TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import metadata_pb2, saved_model_pb2, tensor_pb2

TAG = "serve"
MAX_GRAPH_BYTES = 512 << 20
_ODD_NAMES = {"float": "float32", "double": "float64", "half": "float16"}


@dataclass(frozen=True, slots=True)
class Input:
    """What a signature takes under one name."""

    name: str
    dtype: str
    """As TensorFlow calls it: `float32`."""
    shape: tuple[int, ...] | None
    """-1 where any size will do, None for any rank."""

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {'of any shape' if self.shape is None else list(self.shape)}"


def read_inputs(folder: Path) -> dict[str, tuple[Input, ...]] | None:
    """Signature -> inputs, both sorted; None where it can't be told here, which says nothing against the model."""
    graph_file = folder / "saved_model.pb"
    try:
        if graph_file.stat().st_size > MAX_GRAPH_BYTES:
            return None
        model = saved_model_pb2.SavedModel.FromString(graph_file.read_bytes())
    except (OSError, DecodeError):
        return None
    graphs = [graph for graph in model.meta_graphs if list(graph.meta_info_def.tags) == [TAG]]
    if not graphs:
        return None
    return {
        name: tuple(_input(key, info) for key, info in sorted(signature.inputs.items()))
        for name, signature in sorted(graphs[0].signature_def.items())
        if not name.startswith("__")
    }


def _input(name: str, info: metadata_pb2.TensorInfo) -> Input:
    dtype, shape = info.dtype, info.tensor_shape
    known = dtype in tensor_pb2.DataType.values()
    word = tensor_pb2.DataType.Name(dtype).removeprefix("DT_").lower() if known else f"type {dtype}"
    sizes = None if shape.unknown_rank else tuple(max(dim.size, -1) for dim in shape.dim)
    return Input(name, _ODD_NAMES.get(word, word), sizes)
