"""Inputs whose names a Python call can't say: TensorFlow 1 took any, `in` and `class` too.

TensorFlow makes a function of each signature, its inputs the parameters, and loads no model where Python has no such
parameter. A model like that is loaded from a copy of its graph in which they have other names.
"""

import contextlib
import keyword
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

GRAPH_FILE = "saved_model.pb"
_FINGERPRINT_FILE = "fingerprint.pb"

Names = Mapping[str, Mapping[str, str]]
"""Signature -> input -> what it is called in the copy; signatures that are as they were are left out."""


@dataclass(frozen=True, slots=True)
class Loadable:
    """Where TensorFlow loads the model from."""

    folder: Path
    names: Names = field(default_factory=dict)

    def arguments(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """`inputs` by the model's own names, as the loaded signature takes them."""
        names = self.names.get(signature, {})
        return {names.get(name, name): value for name, value in inputs.items()}

    def own(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The other way round."""
        back = {name: own for own, name in self.names.get(signature, {}).items()}
        return {back.get(name, name): value for name, value in inputs.items()}


@contextlib.contextmanager
def loadable(folder: Path, saved: Any, graph: Any) -> Iterator[Loadable]:
    """`saved` is the SavedModel message of `folder`, `graph` the MetaGraphDef of it that is to be loaded.

    The folder is needed until it is loaded, and not for calls.
    """
    names = renamed(graph)
    if not names or any(field.name == "object_graph_def" for field, _ in graph.ListFields()):
        # What TensorFlow 2 has saved names its inputs in its functions as well.
        yield Loadable(folder)
        return
    copy = type(saved)(saved_model_schema_version=saved.saved_model_schema_version)
    copied = copy.meta_graphs.add()
    copied.CopyFrom(graph)
    for signature, others in names.items():
        inputs = copied.signature_def[signature].inputs
        infos = {other: graph.signature_def[signature].inputs[name] for name, other in others.items()}
        inputs.clear()
        for other, info in infos.items():
            inputs[other].CopyFrom(info)
    with tempfile.TemporaryDirectory(prefix="modelyard-load-") as name:
        place = Path(name)
        for path in folder.iterdir():
            if path.name not in (GRAPH_FILE, _FINGERPRINT_FILE):
                (place / path.name).symlink_to(path.absolute(), target_is_directory=path.is_dir())
        (place / GRAPH_FILE).write_bytes(copy.SerializeToString())
        yield Loadable(place, names)


def renamed(graph: Any) -> dict[str, dict[str, str]]:
    """For each signature that needs it, all its inputs with other names."""
    found: dict[str, dict[str, str]] = {}
    for signature, definition in graph.signature_def.items():
        inputs = sorted(definition.inputs)
        if not signature.startswith("__") and not sayable(inputs):
            found[signature] = {name: f"input_{number}" for number, name in enumerate(inputs)}
    return found


def sayable(inputs: list[str]) -> bool:
    """Whether TensorFlow can make a function of them: it writes `_` for what no parameter can have in its name."""
    counts = Counter(re.sub(r"\W", "_", name, flags=re.ASCII) for name in inputs)
    return not any(count > 1 or keyword.iskeyword(name) or name == "self" for name, count in counts.items())
