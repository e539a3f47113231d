"""The gates that a model passes before it becomes a version.

checked = await check_model(folder, devices, tier=Tier.FOREIGN)   # raises GateFailed

In their order: integrity, signature, ops, load, parity, row_wise, warmup. What is read of the model before `load` is
read by a process of its own in the sandbox (`gates.scanner`), which imports no TensorFlow; `load` and all after it ask
a model server in the sandbox.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.trainer.gates.check import check_model
    from modelyard.trainer.gates.verdict import Checked, GateFailed, GateResult, Signature, TensorSpec

__all__ = ["Checked", "GateFailed", "GateResult", "Signature", "TensorSpec", "check_model"]


def __getattr__(name: str) -> object:
    """Imported when they are asked for: the scanner's process needs none of it."""
    if name not in __all__:
        raise AttributeError(f"module 'modelyard.trainer.gates' has no attribute {name!r}")
    from modelyard.trainer.gates import check, verdict

    return getattr(check if name == "check_model" else verdict, name)
