"""What a deployment answers to a row."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.sdk.errors import DataLoss, ModelyardError
from modelyard.sdk.predicting.model import Model, Way
from modelyard.sdk.tensors import shape, values


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one row, or why there is none."""

    origin: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """Name -> value: text, number, or lists in lists of them; bytes that are no text stay bytes."""
    notes: Sequence[str] = ()
    """What should be known about it: an unknown user, a category that was not seen in training."""
    version: int = 0
    classes: Sequence[str] = ()
    error: ModelyardError | None = None

    @property
    def label(self) -> str:
        """The most probable class; "" where it answers none."""
        if isinstance(self.outputs.get("label"), str):
            return str(self.outputs["label"])
        best = self.top(1)
        return best[0][0] if best else ""

    def top(self, count: int) -> list[tuple[str, float]]:
        """The most probable classes with their probabilities; the class's number where its name is not known."""
        found = self.outputs.get("probabilities", self.outputs.get("scores"))
        # Scores beside items, boxes or texts are theirs, and not the classes'.
        theirs = not {"items", "boxes", "texts"}.isdisjoint(self.outputs)
        if not isinstance(found, list) or not all(isinstance(each, float) for each in found) or theirs:
            return []
        named = self.classes if len(self.classes) == len(found) else [str(at) for at in range(len(found))]
        return sorted(zip(named, found, strict=True), key=lambda pair: -pair[1])[:count]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        about: dict[str, Any] = {"input": self.origin} if self.origin else {}
        if self.error is not None:
            error = {"reason": self.error.reason, "message": self.error.message, "field": self.error.field}
            return about | {"error": error}
        about |= {"outputs": plain(self.outputs), "version": self.version}
        return about | ({"notes": list(self.notes)} if self.notes else {})


def plain(value: Any) -> Any:
    """As JSON has it: bytes that are no text become `{"b64": …}`, what is no number null."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, complex):
        return [value.real, value.imag]
    return value


def split(model: Model, way: Way, response: predict_pb2.PredictResponse, rows: int) -> list[dict[str, Any]]:
    """The outputs row by row; those without rows are the same in all. Raises DataLoss."""
    found: list[dict[str, Any]] = [{} for _ in range(rows)]
    for name, tensor in response.outputs.items():
        sizes, flat = shape(tensor), values(tensor)
        if tensor.dtype == tensor_pb2.DT_STRING:
            flat = [_text(each) for each in flat]
        spec = way.outputs.get(name)
        if (spec is not None and spec[:1] != (-1,)) or (rows == 1 and sizes[:1] != (1,)):
            whole = _nested(flat, sizes)
            for each in found:
                each[name] = whole
            continue
        if sizes[:1] != (rows,):
            raise DataLoss(f"{model.name} answers {name} with {sizes[:1]} rows to {rows}", reason="ROWS_DIFFER")
        if len(sizes) == 1:
            for each, value in zip(found, flat, strict=True):
                each[name] = value
            continue
        step = len(flat) // rows
        for at, each in enumerate(found):
            part = flat[at * step : (at + 1) * step]
            each[name] = part if len(sizes) == 2 else _nested(part, sizes[1:])
    return [dict(sorted(each.items())) for each in found]


def _nested(flat: list[Any], sizes: tuple[int, ...]) -> Any:
    if not sizes:
        return flat[0]
    for size in reversed(sizes[1:]):
        step = max(size, 1)
        flat = [flat[at : at + step] for at in range(0, len(flat), step)]
    return flat


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def remarks(outputs: Mapping[str, Any]) -> list[str]:
    """What the model itself says about its answer."""
    if outputs.get("known") is False:
        who = "the user is not known" if "items" in outputs else "the user or the item is not known"
        return [f"{who}: this is what holds for most"]
    return []
