"""What can keep an installation from starting here.

FailedPrecondition
├── FolderInUse        another `modelyard up` runs on the data folder
├── FolderTooNew       a newer modelyard wrote it
├── FolderNotOurs      the folder holds something else
├── FolderUnusable     the disk or the permissions of the data folder
├── PortTaken          somebody listens on the address
├── StoreChanged       another object store was asked for than the recorded one
├── NotRunning         there is nothing to stop or to ask
├── ProcessDidNotStart one of the processes ended before it was ready
├── DatasetUnusable    a dataset can't be read here
└── TensorFlowMissing  code was to run here, where it can't
"""

from modelyard.foundation.errors import FailedPrecondition, Kind
from modelyard.foundation.errors import ModelyardError as LocalError

__all__ = [
    "BY_REASON",
    "DatasetUnusable",
    "FolderInUse",
    "FolderNotOurs",
    "FolderTooNew",
    "FolderUnusable",
    "Kind",
    "LocalError",
    "NotRunning",
    "PortTaken",
    "ProcessDidNotStart",
    "StoreChanged",
    "TensorFlowMissing",
]


class FolderInUse(FailedPrecondition):
    """Another `modelyard up` runs on the data folder."""

    reason = "FOLDER_IN_USE"


class FolderTooNew(FailedPrecondition):
    """A newer modelyard wrote the data folder."""

    reason = "FOLDER_TOO_NEW"


class FolderNotOurs(FailedPrecondition):
    """The folder holds something else."""

    reason = "FOLDER_NOT_OURS"


class FolderUnusable(FailedPrecondition):
    """The data folder can't be read or written."""

    reason = "FOLDER_UNUSABLE"


class PortTaken(FailedPrecondition):
    """Somebody listens on the address."""

    reason = "PORT_TAKEN"


class StoreChanged(FailedPrecondition):
    """Another object store was asked for than the one the data is in."""

    reason = "STORE_CHANGED"


class NotRunning(FailedPrecondition):
    """There is nothing to stop or to ask."""

    reason = "NOT_RUNNING"


class ProcessDidNotStart(FailedPrecondition):
    """One of the processes ended before it was ready."""

    reason = "PROCESS_DID_NOT_START"


class DatasetUnusable(FailedPrecondition):
    """A dataset can't be read here."""

    reason = "DATASET_UNUSABLE"


class TensorFlowMissing(FailedPrecondition):
    """Code was to run here, where it can't."""

    reason = "TENSORFLOW_MISSING"


BY_REASON = {
    kind.reason: kind
    for kind in (
        FolderInUse,
        FolderNotOurs,
        FolderTooNew,
        FolderUnusable,
        NotRunning,
        PortTaken,
        ProcessDidNotStart,
        StoreChanged,
    )
}
