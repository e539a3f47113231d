"""What a job is for: a model, what was found out about one, or its answers."""

from pathlib import Path

from modelyard.job import code
from modelyard.job.board import Board
from modelyard.job.errors import ExportInvalid
from modelyard.job.messages import Evaluated, Exported, JobSpec, Predicted
from modelyard.job.training import Training

_WANTED = {
    "training": ("context.export(model)", "a training job's output is a model"),
    "evaluation": ("context.evaluated(…)", "an evaluation's result is metrics"),
    "prediction": ("context.predicted(…)", "a prediction's output is a dataset"),
}


class Result:
    """Of one job."""

    def __init__(self, training: Training, board: Board) -> None:
        self._training = training
        self._board = board
        self.finished = False
        """Whether it is there."""

    def is_there(self, made: Exported | Evaluated | Predicted) -> None:
        """Say so; with what was reported before it."""
        self._board.flush()
        self.finished = True
        self._training.begin()
        self._training.channel.send(made)

    def require(self, spec: JobSpec, folder: Path) -> None:
        """Raises ExportInvalid where the code in `folder` has ended without it."""
        self._board.flush()
        if not self.finished:
            wanted, made = _WANTED.get(spec.kind, _WANTED["training"])
            raise ExportInvalid(f"the code ended without {wanted}; {made}{_not_called(spec, folder)}")


def _not_called(spec: JobSpec, folder: Path) -> str:
    """For the script whose work waits in a function."""
    module, _, function = spec.entry.partition(":")
    if function or not code.leaves_main(folder / f"{module}.py"):
        return ""
    return f". {module}.py defines main(), which nothing has called: --entry {module}:main"
