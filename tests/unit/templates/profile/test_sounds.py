"""Sounds, decoded for a dataset's profile."""

import io
import tracemalloc
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from modelyard.layouts import recordings
from modelyard.templates.profile import samples, showcase, sounds
from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.unreadable import Unreadable
from tests.support.sounds import of_unknown_length

RATE = 8000
TONE = np.sin(np.arange(RATE) / 5) / 2


def written(mono: NDArray[Any], form: str, subtype: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, mono, RATE, format=form, subtype=subtype)
    return out.getvalue()


class Profiled:
    """These files, as the first examples of a split of which the first is shown."""

    def __init__(self, *files: bytes) -> None:
        self._unreadable = Unreadable()
        kept = samples.Samples("train", [0])
        self.sounds = sounds.Sounds(self._unreadable, samples.FeatureSamples(kept, "audio"))
        self.sounds.add(_portion(files), "audio")
        self.found = self.sounds.found()
        self.shown = kept.media.get((0, "audio"))

    @property
    def problems(self) -> list[str]:
        return [each["reason"] for each in self._unreadable.found()["examples"]]


def _portion(files: Sequence[bytes]) -> Portion:
    column = SimpleNamespace(sizes=np.array([len(file) for file in files]))
    split = SimpleNamespace(column=lambda _: column)
    paths = [f"train/{number}.{'wav' if file.startswith(b'RIFF') else 'flac'}" for number, file in enumerate(files)]
    portion = SimpleNamespace(
        split="train", start=0, stop=len(files), examples=split, values=lambda _: files, origin=paths.__getitem__
    )
    return cast(Portion, portion)


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "IMA_ADPCM", "GSM610", "G721_32"])
def test_compressed_wavs_are_profiled_to_their_end(subtype: str) -> None:
    profiled = Profiled(written(TONE, "WAV", subtype))
    assert not profiled.problems
    assert profiled.found["lengths"][0]["maximum"] == pytest.approx(1.0, abs=0.011)
    assert profiled.found["number"]["maximum"] == pytest.approx(0.5, abs=0.1)


def test_a_sound_of_unknown_length_is_as_long_as_what_is_decoded() -> None:
    profiled = Profiled(of_unknown_length(written(TONE, "FLAC", "PCM_16")), written(TONE[:800], "FLAC", "PCM_16"))
    assert not profiled.problems
    (seconds,) = profiled.found["lengths"]
    assert (seconds["minimum"], seconds["maximum"], profiled.found["count"]) == (0.1, 1.0, 2)


def test_a_sound_of_unknown_length_that_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "MAX_SAMPLES", 7000)
    profiled = Profiled(of_unknown_length(written(TONE, "FLAC", "PCM_16")))
    assert profiled.problems == [
        "has more than 0 samples in 1 channel(s); at most 7,000 are decoded, so cut it into pieces"
    ]


def test_opus_is_drawn_at_the_rate_that_it_decodes_at() -> None:
    shown = Profiled(written(TONE, "OGG", "OPUS")).shown
    assert isinstance(shown, samples.Sound)
    assert (shown.seconds, shown.nyquist) == (1.0, RATE / 2)
    assert showcase._lasts(shown) == "1.00 s"


def test_a_long_sound_has_its_own_length_beside_that_of_what_is_drawn() -> None:
    shown = Profiled(written(np.tile(TONE, 62), "FLAC", "PCM_16")).shown
    assert isinstance(shown, samples.Sound)
    assert showcase._lasts(shown) == "62.00 s (drawn: the first 20 s)"


def test_a_sound_that_ends_before_its_header_says_is_cut_off() -> None:
    whole = written(np.random.default_rng(0).normal(0, 0.1, 100_000), "FLAC", "PCM_16")
    (problem,) = Profiled(whole[: len(whole) // 2]).problems
    assert "cut off" in problem or "does not decode" in problem


def memory_taken(data: bytes) -> int:
    """At most at any time, in bytes."""
    tracemalloc.start()
    try:
        assert not Profiled(data).problems
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", [lambda data: data, of_unknown_length], ids=["known", "unknown"])
def test_memory_does_not_grow_with_the_length_of_a_sound(form: Callable[[bytes], bytes]) -> None:
    minutes = [form(written(np.tile(TONE, 60 * many), "FLAC", "PCM_16")) for many in (2, 6)]
    short, long = map(memory_taken, minutes)
    assert long < 1.1 * short
