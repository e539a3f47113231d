"""Evaluations within this process, and models for them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from modelyard.job import code, running
from modelyard.job.channel import SilentChannel
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.templates.specs import SHIPPED, get_template


def save(
    folder: Path,
    function: Any,
    spec: Any = tf.TensorSpec((None, 28, 28, 1), tf.uint8, "image"),  # noqa: B008
    *,
    names: Sequence[str] | None = ("0", "1", "2", "3"),
) -> Path:
    """A SavedModel with this signature, and class names beside it."""
    module = tf.Module()
    specs = spec if isinstance(spec, list) else [spec]
    module.serve = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    if names is not None:
        (folder / "modelyard.model.json").write_text(json.dumps({"format": 1, "classes": names}))
    return folder


def run(tmp_path: Path, dataset: Path, model: Path, **parameters: Any) -> dict[str, Any]:
    """evaluation.json of an evaluation in this process."""
    spec = JobSpec(
        "projects/p/jobs/j",
        1,
        str(SHIPPED / "evaluate"),
        "evaluate:main",
        -1,
        get_template("evaluate").complete(parameters),
        kind="evaluation",
        dataset=str(dataset),
        input_model=str(model),
    )
    running.begin(Context(spec, tmp_path, SilentChannel()))
    code.run(SHIPPED / "evaluate", "evaluate:main")
    found: dict[str, Any] = json.loads((tmp_path / "outputs/report/evaluation.json").read_text())
    return found
