"""One signature, asked until it answers: its inputs may mean anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from modelyard.templates.importing.inputs import Arrays, Spec, made_up

_UNKEPT = (tf.bfloat16, tf.complex64, tf.complex128, *map(tf.as_dtype, ("float8_e5m2", "float8_e4m3fn")))
"""Types that the file of golden answers and the clients without TensorFlow do not carry."""
_FAILURES = (ValueError, TypeError, KeyError, MemoryError, tf.errors.OpError)
SAME = 1e-5


class Unanswered(Exception):
    """Why a signature's answers are not kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a signature was asked, and what it answered each time."""

    inputs: Arrays
    outputs: Arrays
    rows: bool

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

    def __init__(self, loaded: Any) -> None:
        self._loaded = loaded

    def answer(self, signature: str, inputs: Arrays) -> Arrays:
        """Strings as fixed-width bytes."""
        function = self._loaded.signatures[signature]
        results = function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: _plain(np.asarray(value.numpy())) for name, value in results.items()}


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
    _check_types(inputs, outputs)
    together = bool(inputs) and all(spec.rows for spec in (*inputs.values(), *outputs.values()))
    rows = min(rows, *(len(value) for value in real.values())) if real else rows
    while True:
        asked = _first_answer(model, name, inputs, real, rows if together else 1, seed, together)
        if asked.size <= limit:
            return asked
        if not together or rows == 1:
            raise Unanswered(f"one example and its answer are {asked.size} bytes, too many to be kept with the version")
        rows = max(1, min(rows - 1, rows * limit // asked.size))


def _check_types(inputs: Mapping[str, Spec], outputs: Mapping[str, Spec]) -> None:
    for key, spec in inputs.items():
        if spec.dtype in (tf.resource, tf.variant) or spec.dtype in _UNKEPT or spec.dtype.is_quantized:
            raise Unanswered(f"its input {key!r} is {spec.dtype.name}, which is not kept with a version")
    if all(spec.dtype in _UNKEPT for spec in outputs.values()):
        raise Unanswered("its outputs are of types that are not kept with a version")


def _first_answer(
    model: Model, name: str, inputs: Mapping[str, Spec], real: Arrays, rows: int, seed: int, together: bool
) -> Asked:
    problem = ""
    for guess in _guesses(inputs, rows, seed, known=set(real)):
        given = guess | {key: value[:rows] for key, value in real.items()}
        try:
            first, second = model.answer(name, given), model.answer(name, given)
        except _FAILURES as error:
            # What the likeliest inputs met says most.
            problem = problem or f"it does not answer: {_first_line(error)}"
            continue
        kept = {key: value for key, value in first.items() if value.dtype.kind in "biufS" and not _is_nan(value)}
        if not kept:
            problem = problem or "it answers with what is no number"
            continue
        steady = {key: value for key, value in kept.items() if _same(value, second[key])}
        if not steady:
            raise Unanswered("it answers differently each time it is asked, so its answers can't be checked")
        return Asked(given, steady, together)
    raise Unanswered(problem or "it does not answer")


def _guesses(inputs: Mapping[str, Spec], rows: int, seed: int, *, known: set[str]) -> Iterable[Arrays]:
    unknown = {key: spec for key, spec in inputs.items() if key not in known}
    return made_up(unknown, rows, seed) if unknown else [{}]


def _same(a: Any, b: Any) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f":
        return bool(np.allclose(a, b, rtol=SAME, atol=SAME))
    return bool(np.array_equal(a, b))


def _is_nan(value: Any) -> bool:
    return value.dtype.kind == "f" and bool(np.isnan(value).any())


def _plain(values: Any) -> Any:
    return values.astype(np.bytes_) if values.dtype == object else values


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Detected at", "Graph execution error"))]
    return (told or lines or [type(error).__name__])[0][:500]
