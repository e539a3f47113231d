"""Models as people bring them, good ones and evil ones: what makes each of them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
MODELS: dict[str, Callable[[Path, Path], None]] = {}


def foreign_models(folder: Path) -> Path:
    """All of them; TensorFlow runs for some twenty seconds."""
    (folder / "ran").mkdir(parents=True)
    (folder / "ran").chmod(0o777)
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.foreign", str(folder)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return folder


def model(function: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """Called with where it shall be and the file that running it would make."""
    MODELS[function.__name__] = function
    return function


def module(target: Path, function: Any, *specs: Any, **kept: Any) -> None:
    """A SavedModel of one function over tensors of these specs."""
    import tensorflow as tf

    holder = tf.Module()
    for name, value in kept.items():
        setattr(holder, name, value)
    holder.serve = tf.function(function, input_signature=specs)
    tf.saved_model.save(holder, str(target), signatures={"serving_default": holder.serve})
