"""How long the sounds of a split are, as templates that hear ask it."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import soundfile

from modelyard.job.session import Context
from modelyard.templates.hearing.lengths import lengths
from tests.support.sounds import of_unknown_length, wav
from tests.support.trees import InMemory


class Split:
    """One whose examples are these files."""

    def __init__(self, *files: bytes) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def column(self, _: str) -> Any:
        return SimpleNamespace(file=lambda row: InMemory(self._files[row]))


def test_a_sound_of_unknown_length_counts_as_long_as_it_is_and_what_is_no_sound_as_nothing(tmp_path: Any) -> None:
    soundfile.write(tmp_path / "a.flac", np.full(24_000, 0.1), 8000)
    soundfile.write(tmp_path / "b.wav", np.full(12_000, 0.1), 8000, subtype="MS_ADPCM")
    streamed = of_unknown_length((tmp_path / "a.flac").read_bytes())
    split = Split(streamed, wav(4000), b"no sound", (tmp_path / "b.wav").read_bytes(), streamed[:60])
    context = SimpleNamespace(data=SimpleNamespace(index=SimpleNamespace(split=lambda _: split)))
    found = lengths(cast(Context, context), "train", "audio")
    assert found.seconds.tolist() == [3.0, 0.5, 0.0, 1.5, 0.0]
    assert found.rates.tolist() == [8000, 8000, 0, 8000, 0]
    assert found.covering(100, 10) == 3.0
