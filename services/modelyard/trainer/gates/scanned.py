"""What the scanner's process says of a model, taken with care: the model may be made to mislead it."""

import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import Limits, Sandbox, Tier
from modelyard.savedmodel.drawing import DRAWING
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.gates.files import GRAPH_FILE, MAX_INDEX_BYTES
from modelyard.trainer.gates.graph import DTYPES, Operation
from modelyard.trainer.gates.verdict import Described, Meaning, Signature, TensorSpec

_MAX_LINES = 50_000
_WALL_S = 300.0
_BESIDE_BYTES = 512 << 20


@dataclass(slots=True)
class Scanned:
    """What is in a model's files."""

    tensors: dict[str, tuple[list[TensorSpec], list[TensorSpec]]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """By the gate that it is a problem of."""
    variables: int = 0
    functions: int = 0
    warmup_requests: int = -1
    """-1: there is no file."""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Signature -> why no examples of it came with the model, as whoever made it says."""
    task: str = ""
    classes: list[str] = field(default_factory=list)
    inputs: dict[str, Meaning] = field(default_factory=dict)
    categories: dict[str, list[str]] = field(default_factory=dict)
    """By the name of the input."""
    complete: bool = False

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """As they are written in the graph."""
        return tuple(Signature(name, tuple(inputs), tuple(outputs)) for name, (inputs, outputs) in self.tensors.items())

    @property
    def described(self) -> Described:
        """What whoever made it says of its inputs and classes."""
        inputs = {
            name: replace(meaning, categories=tuple(self.categories.get(name, ())))
            for name, meaning in self.inputs.items()
        }
        return Described(self.task, tuple(self.classes), inputs)

    @property
    def drawn_with(self) -> tuple[str, ...]:
        """The operations that draw random numbers where a prediction can reach them."""
        return tuple(sorted({each.op for each in self.operations if not each.saving} & DRAWING))

    def take(self, line: str) -> None:
        """A line of the scanner. Raises ValueError, KeyError or TypeError for one that is none."""
        ((kind, values),) = json.loads(line).items()
        match kind:
            case "signature":
                self._signature(values)
            case "operation":
                self.operations.append(
                    Operation(
                        str(values["op"]),
                        str(values["node"]),
                        str(values["function"]),
                        values["saving"] is True,
                        str(values["harm"]),
                    )
                )
            case "problem":
                self.problems.setdefault(str(values["gate"]), str(values["text"]))
            case "unanswered":
                self.unanswered[str(values["signature"])] = str(values["why"])
            case "task":
                self.task = str(values["task"])
            case "class":
                self.classes.append(str(values["name"]))
            case "input":
                self.inputs[str(values["name"])] = Meaning(
                    str(values["stands_for"]), int(values["sample_rate"]), float(values["seconds"])
                )
            case "category":
                self.categories.setdefault(str(values["input"]), []).append(str(values["name"]))
            case "counts":
                self.variables, self.functions = int(values["variables"]), int(values["functions"])
                self.warmup_requests = int(values["warmup_requests"])
            case "done":
                self.complete = True

    def _signature(self, values: dict[str, Any]) -> None:
        dtype, shape = str(values["dtype"]), values["shape"]
        spec = TensorSpec(
            str(values["tensor"]),
            dtype if dtype in DTYPES.values() else "",
            () if shape is None else tuple(int(size) for size in shape),
            unknown_rank=shape is None,
            what=str(values["what"]),
        )
        sides = self.tensors.setdefault(str(values["name"]), ([], []))
        sides[values["side"] == "outputs"].append(spec)


async def scan(folder: Path, tier: Tier) -> Scanned:
    """Read the model's files in a process of its own. Raises AttemptFailed if that process broke."""
    scanned, said, lines = Scanned(), list[str](), 0

    def take(stream: str, line: str) -> None:
        nonlocal lines
        lines += 1
        if stream != "stdout" or lines > _MAX_LINES:
            said.append(line)
            del said[:-20]
            return
        try:
            scanned.take(line)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            said.append(line[:200])

    # Decoded, a graph takes about as much again; what is not looked at stays as it is.
    memory = 4 * (folder / GRAPH_FILE).stat().st_size + MAX_INDEX_BYTES + _BESIDE_BYTES
    sandbox = Sandbox(
        tier, readable=(folder,), writable=(), limits=Limits(memory_bytes=memory, pids=64, wall_s=_WALL_S)
    )
    command = [sys.executable, "-m", "modelyard.trainer.gates.scanner", str(folder)]
    child = await Confined.start(sandbox, command, environment={"LANG": "C.UTF-8"}, cwd=folder, on_line=take)
    try:
        end = await child.wait()
    finally:
        child.kill()
    if not scanned.complete:
        raise AttemptFailed(
            FailureClass.EXPORT_INVALID if lines else FailureClass.INTERNAL,
            f"the model's files can't be read: {end.message}",
            "\n".join(said),
        )
    return scanned
