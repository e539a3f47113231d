"""What an exported model answers, and why a template does not train."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import code, running
from modelyard.job.channel import SilentChannel
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.templates.specs import SHIPPED, get_template


def ask(model: Path, name: str = "serving_default", /, **inputs: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """A signature of the SavedModel; numbers are float32."""
    signature = tf.saved_model.load(str(model)).signatures[name]
    specs = signature.structured_input_signature[1]
    assert set(specs) == set(inputs)
    return {
        name: value.numpy()
        for name, value in signature(
            **{name: tf.constant(values, specs[name].dtype) for name, values in inputs.items()}
        ).items()
    }


def golden(model: Path) -> dict[str, NDArray[Any]]:
    """The examples and answers that are kept with a model."""
    with np.load(model / "golden.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def samples(printed: str) -> list[list[tuple[str, str, str]]]:
    """What a training has told of its examples after each epoch: which, what it said of it, what it should have."""
    told = re.findall(r"samples: after epoch (\d+), in brackets what it should be((?:\n- .*)+)", printed)
    assert [int(epoch) for epoch, _ in told] == list(range(1, len(told) + 1))
    return [re.findall(r"- (?:(.*): )?(?:.*)\*\*(.*)\*\*(?: [\d.-]+)? \((.*)\)", lines) for _, lines in told]


def refused(template: str, dataset: Path, **parameters: Any) -> Exception:
    """What the template raises, in this process."""
    spec = get_template(template)
    job = JobSpec(
        job="projects/p/jobs/j",
        attempt=1,
        code=str(SHIPPED / template),
        entry=spec.entry,
        fd=-1,
        parameters=spec.complete(parameters),
        dataset=dataset.name,
    )
    before = list(sys.path)
    running.begin(Context(job, dataset.parent, SilentChannel()))
    try:
        with pytest.raises(Exception) as caught:  # noqa: PT011
            code.run(SHIPPED / template, spec.entry)
    finally:
        sys.path[:] = before
        running._current.clear()
    return caught.value
