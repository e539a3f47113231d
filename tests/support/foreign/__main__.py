"""`python -m tests.support.foreign FOLDER` writes a folder (a SavedModel) or a `.keras` file for each of MODELS.

What an evil one does when it is run is leave a file at `FOLDER/ran/<name>`.
"""

import os
import sys
from pathlib import Path

from tests.support.foreign import evil_saved_models, keras_files, odd_models, saved_models
from tests.support.foreign.models import MODELS

KINDS = (saved_models, odd_models, evil_saved_models, keras_files)
"""Importing them fills MODELS."""


def write(folder: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name, make in MODELS.items():
        make(folder / name, folder / "ran" / name)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
