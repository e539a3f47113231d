"""What a job can refuse or end with.

FailedPrecondition
├── DatasetDescriptionWrong  a dataset is not what its own description claims
├── DatasetUnsuitable        a dataset is well described, but not for what the code asks of it
│   └── TooLarge             a column is wanted whole that is not held whole
│       └── NoRoom           the worker's disk has no room to hold it
├── ExamplesUnreadable       half of a split or more cannot be decoded
├── Diverged                 the loss or a weight is no longer a number
├── ExportInvalid            a model that cannot be saved, or answers differently once loaded
├── AcceleratorMissing       a device was granted that TensorFlow cannot use
├── CheckpointUnfit          a checkpoint of another model
├── ModelUnsuitable          a model that an evaluation cannot ask
├── LabelsUnfit              labels that the loss cannot compare with the model's answers
├── InputsUnfit              examples that the model does not take
├── CompiledWrong            a model whose compile() got what it cannot work with
├── ContextMisused           `context` is called in a way that cannot work
└── NoJob                    `context` outside a job
"""

from modelyard.foundation.errors import FailedPrecondition


class DatasetDescriptionWrong(FailedPrecondition):
    """`file` is where it shows; the message says what is claimed and what was found."""

    reason = "DATASET_DESCRIPTION_WRONG"

    def __init__(self, file: str, problem: str) -> None:
        super().__init__(f"{file}: {problem}", file=file, problem=problem)


class DatasetUnsuitable(FailedPrecondition):
    reason = "DATASET_UNSUITABLE"


class TooLarge(DatasetUnsuitable, MemoryError):
    """Code that can do with batches may expect it as what Python calls it."""


class NoRoom(TooLarge):
    """It is nobody's data that is at fault."""

    reason = "WORKER_DISK_FULL"


class ExamplesUnreadable(FailedPrecondition):
    reason = "EXAMPLES_UNREADABLE"


class Diverged(FailedPrecondition):
    reason = "TRAINING_DIVERGED"


class ExportInvalid(FailedPrecondition):
    reason = "EXPORT_INVALID"


class AcceleratorMissing(FailedPrecondition):
    reason = "ACCELERATOR_MISSING"


class CheckpointUnfit(FailedPrecondition):
    reason = "CHECKPOINT_UNFIT"


class ModelUnsuitable(FailedPrecondition):
    reason = "MODEL_UNSUITABLE"


class LabelsUnfit(FailedPrecondition):
    reason = "LABELS_UNFIT"


class InputsUnfit(FailedPrecondition):
    reason = "INPUTS_UNFIT"


class CompiledWrong(FailedPrecondition):
    reason = "COMPILED_WRONG"


class ContextMisused(FailedPrecondition):
    reason = "CONTEXT_MISUSED"


class NoJob(FailedPrecondition):
    reason = "NO_JOB"
