"""The sandbox that a job's process gets: its own folder to write, its inputs to read, the devices that it was given."""

from collections.abc import Sequence
from pathlib import Path

from modelyard.foundation.sandbox.policy import Sandbox, Tier
from modelyard.trainer.domain import Device
from modelyard.trainer.gpus import nodes
from modelyard.trainer.work import Work
from modelyard.trainer.workspace import Workspace


def confinement(work: Work, workspace: Workspace, tier: Tier, trees: Sequence[Path]) -> Sandbox:
    """`trees` are the folders outside of the attempt's own that it reads."""
    # In the SHIPPED tier nothing new could be made beside a read-only folder in a writable one.
    given = (workspace.job_file, workspace.inputs, workspace.resume) if tier is Tier.FOREIGN else ()
    own = [path for path in given if path.exists()]
    program = [Path(word) for word in work.program[1:] if word.startswith("/") and Path(word).exists()]
    return Sandbox(
        tier=tier,
        readable=tuple(path.resolve() for path in (*own, *trees, *program)),
        writable=(workspace.folder.resolve(),),
        limits=work.limits,
        devices=device_nodes(work.devices, work.visible_gpus),
    )


def device_nodes(devices: Sequence[Device], visible_gpus: str) -> tuple[Path, ...]:
    """What of /dev the granted devices need."""
    names = [device.name_in_job(visible_gpus).partition(":")[2] for device in devices if device.kind == "gpu"]
    return nodes(names) if names else ()
