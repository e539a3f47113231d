"""Sounds as training, evaluation and predictions take them."""

import io
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from modelyard.layouts import waves

RATE = 8000
TONE = (np.sin(np.arange(RATE) / 5) / 2).astype(np.float32)


def written(samples: NDArray[Any], form: str = "WAV", subtype: str = "FLOAT") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, samples, RATE, format=form, subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize(("form", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_a_sound_is_samples_whatever_it_is_kept_as(form: str, subtype: str) -> None:
    assert waves.decode(written(TONE, form, subtype), RATE, RATE) == pytest.approx(TONE, abs=0.05)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_no_numbers_are_said_with_their_time(number: float, channels: int) -> None:
    samples = np.repeat(TONE[:, np.newaxis], channels, 1)
    samples[4000, -1] = number
    says = r"^it holds samples that are no numbers \(NaN or infinite\), the first after 0\.50 s$"
    with pytest.raises(ValueError, match=says):
        waves.decode(written(samples), RATE, RATE)


def test_what_is_not_heard_may_be_anything() -> None:
    samples = np.concatenate([TONE, np.full(RATE, np.nan, np.float32)])
    assert waves.decode(written(samples), RATE, RATE) == pytest.approx(TONE)
