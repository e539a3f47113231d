"""A saved_model.pb with signatures and nothing else."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from modelyard.api.serving.v1 import saved_model_pb2, tensor_pb2

Inputs = Mapping[str, tuple[str, Sequence[int] | None]]
"""Name -> (`DT_FLOAT`, shape); no shape is any rank."""


def write_graph(folder: Path, signatures: Mapping[str, Inputs]) -> None:
    """Into `folder`, which is created."""
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    graph = model.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    for name, inputs in signatures.items():
        signature = graph.signature_def[name]
        for key, (dtype, shape) in inputs.items():
            info = signature.inputs[key]
            info.dtype = tensor_pb2.DataType.Value(dtype)
            info.tensor_shape.unknown_rank = shape is None
            for size in shape or ():
                info.tensor_shape.dim.add(size=size)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
