"""All gates of one model, in their order."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modelyard.foundation.sandbox.policy import Tier
from modelyard.trainer.gates import answers, files, golden, operations, warmup
from modelyard.trainer.gates.golden import Example
from modelyard.trainer.gates.scanned import Scanned, scan
from modelyard.trainer.gates.server import Refused, gate_server, request_of
from modelyard.trainer.gates.verdict import Checked, GateResult, Gates, Signature

MAX_SIGNATURES, MAX_TENSORS = 64, 1000


async def check_model(
    folder: Path,
    devices: Sequence[str] = ("cpu",),
    *,
    tier: Tier = Tier.SHIPPED,
    told: Callable[[GateResult], None] | None = None,
) -> Checked:
    """Check the model in `folder`, whose files nobody may change meanwhile; `told` hears of each gate as it ends.

    Writes a warm-up file into it if it has none. Raises GateFailed when the model is at fault, AttemptFailed with a
    class that is tried again when the machine is, SandboxUnavailable when it can't isolate the model as `tier` asks.
    """
    gates = Gates(told)
    scanned = await _whole(folder, tier, gates)
    signatures = _askable(scanned, gates)
    by_name = {each.name: each for each in signatures}
    if problem := operations.judge(scanned.operations):
        raise gates.failed("ops", problem)
    kinds = len({operation.op for operation in scanned.operations})
    gates.passed("ops", f"{kinds} operations in the graph and {_count(scanned.functions, 'function')}, all allowed")
    try:
        examples = await asyncio.to_thread(golden.read, folder)
    except golden.Unreadable as unreadable:
        # Whoever made the model may have said why.
        raise gates.failed("parity", scanned.problems.get("parity") or str(unreadable)) from unreadable
    await _warmup(folder, scanned, examples, by_name, gates)
    async with gate_server(folder, devices, tier) as server:
        empty = await asyncio.to_thread(server.memory_bytes)
        try:
            await server.load()
        except Refused as refused:
            raise gates.failed("load", str(refused), refused.said) from refused
        gates.passed("load", "it loads in a model server in the sandbox and answers its warm-up requests")
        row_wise, latency_s = await answers.compare(
            server, examples, by_name, scanned.drawn_with, scanned.unanswered, gates
        )
        resident = await asyncio.to_thread(server.memory_bytes) - empty
    return Checked(tuple(gates.results), row_wise, signatures, max(resident, 0), latency_s, scanned.described)


async def _whole(folder: Path, tier: Tier, gates: Gates) -> Scanned:
    try:
        found = await asyncio.to_thread(files.look, folder)
    except files.NotWhole as not_whole:
        raise gates.failed("integrity", str(not_whole)) from not_whole
    scanned = await scan(folder, tier)
    if problem := scanned.problems.get("integrity"):
        raise gates.failed("integrity", problem)
    gates.passed(
        "integrity",
        f"{_count(found.count, 'file')} of {found.total_bytes} bytes, {_count(scanned.variables, 'variable')} complete",
    )
    return scanned


def _askable(scanned: Scanned, gates: Gates) -> tuple[Signature, ...]:
    signatures = scanned.signatures
    if not signatures:
        raise gates.failed(
            "signature", "it has no signature; save it with signatures={'serving_default': a tf.function}"
        )
    tensors = sum(len(each.inputs) + len(each.outputs) for each in signatures)
    if len(signatures) > MAX_SIGNATURES or tensors > MAX_TENSORS:
        raise gates.failed(
            "signature",
            f"it has {len(signatures)} signatures with {tensors} tensors; at most {MAX_SIGNATURES} with {MAX_TENSORS} "
            "are allowed",
        )
    problems = [f"{each.name!r} can't be used: {each.problem}" for each in signatures if each.problem]
    usable = tuple(each for each in signatures if not each.problem)
    if not usable:
        raise gates.failed("signature", "; ".join(problems))
    named = ", ".join(each.name for each in usable)
    gates.passed("signature", "; ".join([f"it can be asked by {named}", *problems]))
    return usable


async def _warmup(
    folder: Path,
    scanned: Scanned,
    examples: Mapping[str, Example],
    signatures: Mapping[str, Signature],
    gates: Gates,
) -> None:
    if problem := scanned.problems.get("warmup"):
        raise gates.failed("warmup", problem)
    if scanned.warmup_requests >= 0:
        gates.passed("warmup", f"its warm-up file has {_count(scanned.warmup_requests, 'request')}")
        return
    requests = {
        name: request_of(signatures[name], example.row(0) if example.rows else example.inputs)
        for name, example in examples.items()
        if name in signatures
    }
    await asyncio.to_thread(warmup.write, folder, requests)
    gates.passed("warmup", f"a warm-up file was made with {_count(len(requests), 'request')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
