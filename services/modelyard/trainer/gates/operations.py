"""Which operations a served model may have: a list of what is allowed, so that what nobody thought of is not.

`operations.txt` has every operation of TensorFlow, one a line; a word behind it says why it is refused.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from modelyard.trainer.gates.graph import Operation

SAVING = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename", "ShardedFilespec"})
"""Allowed where only saving and restoring variables reaches them: every SavedModel brings them along."""
_REASONS = {
    "file": "reads or writes files",
    "python": "runs Python code",
    "network": "talks to other machines",
    "debug": "writes debugging data",
    "data": "reads an input pipeline, which belongs to training",
    "queue": "waits in a queue, which belongs to training",
    "device": "is for other devices and machines than a model server has",
    "end": "ends the model server",
}
_REMEDY = "export the model without it"


@cache
def known() -> dict[str, str]:
    """Operation -> the word behind it, "" = allowed."""
    text = (files(__package__) / "operations.txt").read_text()
    lines = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {op: reason.strip() for op, _, reason in lines}


def refusal(operation: Operation) -> str:
    """Why an operation is not allowed where it is; "" if it is."""
    reason = known().get(operation.op)
    if operation.harm:
        why = operation.harm
    elif reason == "" or (operation.saving and operation.op in SAVING):
        return ""
    elif reason is None:
        why = "is none of TensorFlow's own: custom operations are not loaded"
    else:
        why = _REASONS[reason]
    where = f"in function {operation.function!r}" if operation.function else "in the graph"
    return f"operation {operation.op} (node {operation.node!r} {where}) {why}"


def judge(operations: Iterable[Operation]) -> str:
    """What is wrong, in a sentence; "" if all may be served."""
    refused: dict[str, str] = {}
    for operation in operations:
        if problem := refusal(operation):
            refused.setdefault(operation.op, problem)
    if not refused:
        return ""
    shown = "; ".join(list(refused.values())[:3])
    more = f", and {len(refused) - 3} more operations are refused" if len(refused) > 3 else ""
    return f"{shown}{more}; {_REMEDY}"
