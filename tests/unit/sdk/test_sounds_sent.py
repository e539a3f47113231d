"""What a model gets whose graph decodes WAV files."""

import io
import wave

import numpy as np
import pytest
import soundfile

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.media import content
from modelyard.sdk.predicting.model import Input

WANTED = Input("audio_bytes", "string", (-1,), "audio", 8000)
SOUND = np.sin(np.arange(800) / 5) / 2


def written(form: str, subtype: str, rate: int = 8000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, SOUND, rate, format=form, subtype=subtype)
    return out.getvalue()


def test_a_wav_of_16_bits_is_sent_as_it_is() -> None:
    data = written("WAV", "PCM_16")
    assert content(WANTED, data, None) == ((), data, "")


@pytest.mark.parametrize(
    ("form", "subtype"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "PCM_U8")]
)
def test_any_other_sound_is_sent_as_a_wav_of_16_bits(form: str, subtype: str) -> None:
    _, sent, _ = content(WANTED, written(form, subtype), None)
    with wave.open(io.BytesIO(sent)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    assert samples[:800] == pytest.approx(SOUND, abs=0.05)


def test_another_rate_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(
        InvalidArgument, match="44,100 samples a second in one channel; the model takes 8,000"
    ) as caught:
        content(WANTED, written("FLAC", "PCM_16", 44_100), None)
    assert caught.value.reason == "AUDIO_RATE"


@pytest.mark.parametrize("wanted", [WANTED, Input("audio", "float32", (-1, 800), "audio", 8000)])
def test_samples_that_are_no_numbers_are_refused_before_they_are_sent(wanted: Input) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.where(np.arange(800) == 400, np.nan, SOUND), 8000, format="WAV", subtype="FLOAT")
    with pytest.raises(InvalidArgument, match=r"holds samples that are no numbers .* after 0\.05 s") as caught:
        content(wanted, out.getvalue(), None)
    assert (caught.value.reason, caught.value.field) == ("AUDIO_UNUSABLE", wanted.name)
