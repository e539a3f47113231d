"""Sounds within a page."""

import io
import json
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from modelyard.job.columns import Column
from modelyard.templates.evaluate.sounds import exhibited, markup
from tests.support.sounds import of_unknown_length
from tests.support.trees import InMemory


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_behind_what_a_model_hears_are_drawn_as_well_as_they_can_be(number: float) -> None:
    out = io.BytesIO()
    samples: Any = np.full((4000, 2), 0.5, np.float32)
    samples[3000] = number
    soundfile.write(out, samples, 8000, "FLOAT", format="WAV")
    file = InMemory(out.getvalue())
    column = cast(Column, SimpleNamespace(read=lambda _: file.content, file=lambda _: file))
    found = exhibited(column, 0)
    assert max(found["high"]) == (1.0 if number == np.inf else 0.5)
    json.dumps(found, allow_nan=False)
    assert markup(found).count("<svg") == 1


def test_a_sound_of_unknown_length_is_drawn_to_its_end() -> None:
    out = io.BytesIO()
    soundfile.write(out, np.full(4000, 0.5), 8000, format="FLAC")
    file = InMemory(of_unknown_length(out.getvalue()))
    column = cast(Column, SimpleNamespace(read=lambda _: file.content, file=lambda _: file))
    assert exhibited(column, 0)["seconds"] == 0.5
