"""Runs the template `import-model` on many sources in one process, for TensorFlow's import takes longer than they do.

`python -m tests.support.imports SOURCES TARGET [name…]`: each source becomes `TARGET/<name>/model`, or
`TARGET/<name>/failed` with what it failed with.
"""

import os
import subprocess
import sys
from pathlib import Path

from modelyard.job.messages import JobSpec

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "services" / "modelyard" / "templates" / "import-model"


def imported(sources: Path, target: Path, *names: str) -> None:
    """As a job would; all of `sources` if no names are given."""
    command = [sys.executable, "-m", "tests.support.imports", str(sources), str(target), *names]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]


def spec(**more: object) -> JobSpec:
    """A job without a worker."""
    values = {"parameters": {"examples": 4, "input": "", "scale": 1.0, "seed": 0}, "dataset": "", "kind": "import"}
    code = str(TEMPLATE)
    return JobSpec("projects/p/jobs/j", 1, code, "import_model:main", -1, **(values | more))  # type: ignore[arg-type]


def run(source: Path, folder: Path) -> None:
    from modelyard.foundation.errors import ModelyardError
    from modelyard.job.channel import SilentChannel
    from modelyard.job.session import Context
    from modelyard.templates.importing import keras_file, saved_model
    from modelyard.templates.importing.sources import KerasFile, find

    (folder / "inputs" / "source").mkdir(parents=True)
    (folder / "inputs" / "source" / source.name).symlink_to(source)
    os.chdir(folder)
    context = Context(spec(source="inputs/source"), folder, SilentChannel())
    try:
        found = find(context.source)
        if isinstance(found, KerasFile):
            keras_file.bring_in(found.path, context)
        else:
            saved_model.bring_in(found.folder.resolve(), context)
    except ModelyardError as error:
        (folder / "failed").write_text(f"{error.reason}: {error.message}")


if __name__ == "__main__":
    sources, target, *names = map(Path, sys.argv[1:])
    for source in sorted(sources.iterdir()):
        whole = source.suffix == ".keras" or (source / "saved_model.pb").is_file()
        if whole and (not names or Path(source.stem) in names):
            run(source, target / source.stem)
