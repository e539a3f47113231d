"""One signature, asked until it answers: its inputs may mean anything."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from modelyard.job.export import COARSE, storable
from modelyard.savedmodel.names import Loadable
from modelyard.templates.importing.inputs import Arrays, Spec, made_up

_FAILURES = (ValueError, TypeError, KeyError, MemoryError, tf.errors.OpError)
SAME = 1e-5
REPEATS = 8
"""How often a model that draws random numbers is asked the same: what it draws may be the same by chance."""


class Unanswered(Exception):
    """Why a signature's answers are not kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a signature was asked, and what it answered each time."""

    inputs: Arrays
    outputs: Arrays
    rows: bool
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Output -> why its answer is not kept."""

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(array.nbytes for array in (*self.inputs.values(), *self.outputs.values()))

    @property
    def first(self) -> Arrays:
        """The inputs of one example."""
        return {name: value[:1] if self.rows else value for name, value in self.inputs.items()}


class Model:
    """A loaded SavedModel."""

    def __init__(self, loaded: Any, place: Loadable, drawn_with: Sequence[str]) -> None:
        """`drawn_with` are its operations that draw random numbers."""
        self._loaded = loaded
        self._place = place
        self.drawn_with = drawn_with

    def answer(self, signature: str, inputs: Arrays, dtypes: Mapping[str, Any]) -> Arrays:
        """`dtypes` are the signature's: known inputs may come in wider ones. Strings are objects."""
        given = {
            name: tf.cast(value, dtypes[name]) if name in dtypes else tf.constant(value)
            for name, value in inputs.items()
        }
        results = self._loaded.signatures[signature](**self._place.arguments(signature, given))
        return {name: np.asarray(value.numpy()) for name, value in results.items()}


def ask(
    model: Model,
    name: str,
    inputs: Mapping[str, Spec],
    outputs: Mapping[str, Spec],
    real: Arrays,
    rows: int,
    seed: int,
    limit: int,
) -> Asked:
    """`real` are inputs that are known; the others are made up. Raises Unanswered."""
    for side, carrier, specs in (("input", "request", inputs), ("output", "answer", outputs)):
        for key, spec in specs.items():
            if not spec.carried:
                raise Unanswered(f"its {side} {key!r} is of type {spec.what}, which no {carrier} can carry")
    together = bool(inputs) and all(spec.rows for spec in (*inputs.values(), *outputs.values()))
    rows = min(rows, *(len(value) for value in real.values())) if real else rows
    while True:
        asked = _first_answer(model, name, inputs, real, rows if together else 1, seed, together)
        if asked.size <= limit:
            return asked
        if not together or rows == 1:
            raise Unanswered(f"one example and its answer are {asked.size} bytes, too many to be kept with the version")
        rows = max(1, min(rows - 1, rows * limit // asked.size))


def _first_answer(
    model: Model, name: str, inputs: Mapping[str, Spec], real: Arrays, rows: int, seed: int, together: bool
) -> Asked:
    problem = ""
    dtypes = {key: spec.dtype for key, spec in inputs.items() if spec.dtype != tf.string}
    for guess in _guesses(inputs, rows, seed, known=set(real)):
        given = guess | {key: value[:rows] for key, value in real.items()}
        try:
            first = model.answer(name, given, dtypes)
            others = [model.answer(name, given, dtypes) for _ in range(REPEATS if model.drawn_with else 1)]
        except _FAILURES as error:
            # What the likeliest inputs met says most.
            problem = problem or f"it does not answer: {_first_line(error)}"
            continue
        left_out = {key: why for key, value in first.items() if (why := _unkept(key, value, others, model.drawn_with))}
        if all(_is_nan(first[key]) for key in left_out) and len(left_out) == len(first):
            problem = problem or "it answers with what is no number"
            continue
        if len(left_out) == len(first) and not model.drawn_with:
            raise Unanswered(
                "it answers differently each time it is asked, and nothing in its graph draws random numbers: it "
                "depends on what it was asked before, so its answers can't be checked"
            )
        kept = {key: storable(value) for key, value in first.items() if key not in left_out}
        return Asked(given, kept, together, left_out)
    raise Unanswered(problem or "it does not answer")


def _unkept(key: str, value: Any, others: Iterable[Arrays], drawn_with: Sequence[str]) -> str:
    """Why an output's answer is not kept; "" if it is."""
    if _is_nan(value):
        return "it is not a number (NaN)"
    if all(_same(value, other[key]) for other in others):
        return ""
    if drawn_with:
        return f"random, the graph draws with {', '.join(drawn_with)}"
    return "it is another each time, though nothing in the graph draws random numbers"


def _guesses(inputs: Mapping[str, Spec], rows: int, seed: int, *, known: set[str]) -> Iterable[Arrays]:
    unknown = {key: spec for key, spec in inputs.items() if key not in known}
    return made_up(unknown, rows, seed) if unknown else [{}]


def _same(a: Any, b: Any) -> bool:
    if a.shape != b.shape:
        return False
    tolerance = COARSE.get(str(a.dtype), SAME)
    a, b = storable(a), storable(b)
    if a.dtype.kind in "fc":
        return bool(np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True))
    return bool(np.array_equal(a, b))


def _is_nan(value: Any) -> bool:
    value = storable(value)
    return value.dtype.kind in "fc" and bool(np.isnan(value).any())


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Detected at", "Graph execution error"))]
    return (told or lines or [type(error).__name__])[0][:500]
