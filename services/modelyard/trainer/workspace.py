"""An attempt's folder."""

import shutil
from pathlib import Path


class Workspace:
    """`work_folder/attempts/<project>.<job>.<n>/`: what the job's process gets, and what it leaves behind."""

    def __init__(self, root: Path, attempt: str) -> None:
        _, project, _, job, _, number = attempt.split("/")
        self.folder = root / "attempts" / f"{project}.{job}.{number}"
        self.job_file = self.folder / "job.json"
        self.dataset = self.folder / "inputs" / "dataset"
        self.resume = self.folder / "resume"
        self.checkpoints = self.folder / "checkpoints"
        self.model = self.folder / "model"
        self.scratch = self.folder / "scratch"

    def create(self) -> None:
        """An empty one; what an earlier process left under this name is removed."""
        self.remove()
        for folder in (self.dataset.parent, self.checkpoints, self.scratch):
            folder.mkdir(parents=True)

    def remove(self) -> None:
        """Free its space."""
        if self.folder.exists():
            shutil.rmtree(self.folder)


def remove_leftovers(root: Path) -> None:
    """Attempts' folders of a worker that was killed; their processes died with it."""
    if (root / "attempts").exists():
        shutil.rmtree(root / "attempts")
