"""Sounds as training, evaluation and predictions take them."""

import io
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from modelyard.layouts import recordings, waves
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.sounds import Sound, sound_length
from tests.support.sounds import of_unknown_length
from tests.support.trees import InMemory, whole

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


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "IMA_ADPCM", "GSM610", "G721_32"])
def test_a_compressed_wav_is_decoded_to_its_end(subtype: str) -> None:
    found = waves.decode(written(TONE, "WAV", subtype), RATE, RATE)
    # They learn in the beginning how loud it is.
    assert found[RATE // 2 :] == pytest.approx(TONE[RATE // 2 :], abs=0.1)


def test_a_flac_that_ends_behind_a_frame_is_decoded_as_far_as_it_goes_and_not_followed_by_silence() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2 * RATE).astype(np.float32)
    complete = written(noise, "FLAC", "PCM_16")
    cut = complete[: complete.rindex(b"\xff\xf8")]
    assert waves.decode(cut, RATE, RATE) == pytest.approx(noise[:RATE], abs=1e-4)
    with pytest.raises(ValueError, match=r"^it is cut off: 16,000 samples are claimed, 12,288 are there$"):
        waves.decode(cut, RATE, 2 * RATE)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.0])
def test_a_sound_of_unknown_length_is_decoded_as_far_as_is_asked_for_and_followed_by_silence(seconds: float) -> None:
    found = waves.decode(of_unknown_length(written(TONE, "FLAC", "PCM_16")), RATE, round(seconds * RATE))
    assert found == pytest.approx(np.resize(np.append(TONE, np.zeros(RATE)), len(found)), abs=1e-4)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_of_unknown_length_is_decoded_to_be_measured(channels: int) -> None:
    data = of_unknown_length(written(np.repeat(TONE[:, np.newaxis], channels, 1), "FLAC", "PCM_16"))
    assert sound_length(InMemory(data)).samples == 0
    assert waves.measured(InMemory(data)) == Sound("flac", RATE, RATE, channels)


def test_a_sound_whose_header_says_how_long_it_is_is_not_decoded_to_be_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recordings, "Recording", None)
    assert waves.measured(InMemory(written(TONE, "FLAC", "PCM_16"))).seconds == 1.0


def test_a_sound_of_unknown_length_is_measured_no_further_than_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MAX_SAMPLES", 10_000)
    monkeypatch.setattr(recordings, "BLOCK", 4096)
    data = of_unknown_length(written(np.repeat(TONE[:, np.newaxis], 2, 1), "FLAC", "PCM_16"))
    says = r"^has more than 4,096 samples in 2 channel\(s\); at most 10,000 are decoded, so cut it into pieces$"
    with pytest.raises(UnusableError, match=says):
        waves.measured(InMemory(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (of_unknown_length(written(TONE, "FLAC", "PCM_16"))[:86], "holds no sound"),
        (of_unknown_length(written(TONE, "FLAC", "PCM_16"))[:5000], "does not decode: "),
    ],
)
def test_a_sound_of_unknown_length_that_has_none_says_why(data: bytes, said: str) -> None:
    with pytest.raises(UnusableError) as caught:
        waves.measured(InMemory(data))
    assert str(caught.value).startswith(said)


def test_sounds_of_unknown_length_are_pushed() -> None:
    files = {f"{label}/1.flac": of_unknown_length(written(TONE, "FLAC", "PCM_16")) for label in "ab"}
    _, rows, problems = whole(files)
    assert not problems
    assert sum(len(split.origins) for split in rows.values()) == 2
