"""The gates `parity` and `row_wise`: what a loaded model answers, beside its golden answers and row by row."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.trainer.gates import golden
from modelyard.trainer.gates.golden import Answers, Differs, Example
from modelyard.trainer.gates.server import GateServer, Refused
from modelyard.trainer.gates.verdict import Gates, Signature

DEFAULT_SIGNATURE = "serving_default"
REPEATS = 8
"""How often a model that draws random numbers is asked the same, until its answers are seen to differ."""

_WORDS = {
    True: "the same row by row as in a batch",
    False: "not the same row by row as in a batch, so requests are never batched",
    None: "it does not take rows of examples, so requests are never batched",
}
_APART = "; it takes a value for all rows, so requests are never batched"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why an output is not compared with a golden answer."""

    why: str
    random: bool = False


async def compare(
    server: GateServer,
    examples: Mapping[str, Example],
    signatures: Mapping[str, Signature],
    drawn_with: Sequence[str],
    unanswered: Mapping[str, str],
    gates: Gates,
) -> tuple[bool, float]:
    """Whether rows are independent in every signature, and the latency of one example.

    `drawn_with` are the graph's operations that draw random numbers; `unanswered` is what whoever made the model says
    of signatures without examples. Raises GateFailed.
    """
    independent = True
    latencies: dict[str, float] = {}
    for name, example in examples.items():
        if name not in signatures:
            raise gates.failed("parity", f"it has golden answers of {name!r}, which is no signature that can be asked")
        whole, took, left_out = await _parity(server, signatures[name], example, drawn_with, gates)
        random = [output for output, left in left_out.items() if left.random]
        same, times = await _row_wise(server, signatures[name], example, whole, random, gates)
        independent = independent and same
        latencies[name] = statistics.median(times or [took])
    for name in signatures.keys() - examples.keys():
        why = unanswered.get(name) or "no examples of it came with the model"
        gates.passed("parity", f"{name}: not compared: {why}")
        independent = False
    fallback = next(iter(latencies.values()), 0.0)
    return independent and bool(latencies), latencies.get(DEFAULT_SIGNATURE, fallback)


async def _parity(
    server: GateServer, signature: Signature, example: Example, drawn_with: Sequence[str], gates: Gates
) -> tuple[Answers, float, dict[str, LeftOut]]:
    """What it answers, how long that took, and which outputs could not be compared."""
    try:
        whole, took = await server.answer(signature, example.inputs)
        worst = golden.difference(whole, example.outputs, signature.output_types)
        left_out = await _left_out(server, signature, example, whole, drawn_with)
    except Refused as refused:
        raise gates.failed("parity", str(refused), refused.said) from refused
    except Differs as differs:
        hint = f" (its graph draws random numbers with {_listed(drawn_with)})" if drawn_with else ""
        raise gates.failed("parity", f"signature {signature.name!r}: {differs}{hint}") from differs
    asked = f"{example.rows} example{'s' * (example.rows != 1)}" if example.rows else "one request"
    said = "; ".join(f"{output!r} is not compared: {left.why}" for output, left in left_out.items())
    if not example.outputs and not all(left.random for left in left_out.values()):
        raise gates.failed("parity", f"signature {signature.name!r} has no golden answer to compare with; {said}")
    seen = f"largest difference {worst:.2g}" if example.outputs else "answered"
    gates.passed("parity", f"{signature.name}: {asked}, {seen}{'; ' * bool(said)}{said}")
    return whole, took, left_out


async def _left_out(
    server: GateServer, signature: Signature, example: Example, whole: Answers, drawn_with: Sequence[str]
) -> dict[str, LeftOut]:
    """Whoever made the model left these outputs out of its golden answers; why, we find out by asking once more."""
    names = [spec.name for spec in signature.outputs if spec.name not in example.outputs]
    moved: set[str] = set()
    for _ in range(REPEATS if drawn_with else 1):
        if moved.issuperset(names):
            break
        again, _ = await server.answer(signature, example.inputs)
        moved |= {name for name in names if not _same(again.get(name), whole.get(name), signature.output_types[name])}
    return {name: _why(whole.get(name), name in moved, drawn_with) for name in names}


def _why(answer: NDArray[Any] | None, moved: bool, drawn_with: Sequence[str]) -> LeftOut:
    if answer is None:
        return LeftOut("it is not answered")
    if moved and drawn_with:
        return LeftOut(f"random, the graph draws with {_listed(drawn_with)}", random=True)
    if moved:
        return LeftOut("it is another each time, though nothing in the graph draws random numbers")
    if answer.dtype.kind in "fc" and np.isnan(answer).any():
        return LeftOut("it is not a number (NaN)")
    return LeftOut("no golden answer of it came with the model")


async def _row_wise(
    server: GateServer, signature: Signature, example: Example, whole: Answers, random: Sequence[str], gates: Gates
) -> tuple[bool, list[float]]:
    """Whether rows of several requests may be put together, and how long each of single examples took."""
    try:
        same, times = await _row_by_row(server, signature, example, whole, random)
    except Refused as refused:
        gates.passed("row_wise", f"{signature.name}: one example alone is refused ({refused})", passed=False)
        return False, []
    if random and same:
        outputs = ", ".join(map(repr, random))
        gates.passed(
            "row_wise",
            f"{signature.name}: random in {outputs}, where rows can't be compared, so requests are never batched",
            passed=False,
        )
        return False, times
    apart = same is True and not signature.joins_requests
    gates.passed("row_wise", f"{signature.name}: {_WORDS[same]}{_APART if apart else ''}", passed=same is True)
    return same is True and signature.joins_requests, times


async def _row_by_row(
    server: GateServer, signature: Signature, example: Example, whole: Answers, random: Sequence[str]
) -> tuple[bool | None, list[float]]:
    """Whether the answers are the same one by one (None: there are no rows), and how long each took."""
    if not signature.takes_rows or not example.rows:
        return None, []
    singles = [await server.answer(signature, example.row(number)) for number in range(example.rows)]
    same = all(
        _joined_equal([answer[name] for answer, _ in singles], whole[name], dtype)
        for name, dtype in signature.output_types.items()
        if name not in random and name in whole
    )
    return same, [took for _, took in singles]


def _joined_equal(rows: Sequence[NDArray[Any]], whole: NDArray[Any], dtype: str) -> bool:
    """A row alone may have another width than in a batch, where the model pads to the longest."""
    if any(row.shape != (1, *whole.shape[1:]) for row in rows):
        return False
    return len(rows) == len(whole) and golden.close(np.concatenate(rows), whole, dtype, same_nan=True)


def _same(a: NDArray[Any] | None, b: NDArray[Any] | None, dtype: str) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and golden.close(a, b, dtype, same_nan=True)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
