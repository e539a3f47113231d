"""What a model gets whose graph decodes WAV files."""

import io
import wave

import numpy as np
import pytest
import soundfile

from modelyard.layouts import recordings, waves
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting import media
from modelyard.sdk.predicting.media import content
from modelyard.sdk.predicting.model import Input
from tests.support.sounds import of_unknown_length

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


def in_pipe(data: bytes, whole: int, size: int) -> bytes:
    """As a program writes a WAV that can't go back in it to say how long it has become."""
    return data[:4] + whole.to_bytes(4, "little") + data[8:40] + size.to_bytes(4, "little") + data[44:]


@pytest.mark.parametrize("whole", [0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_that_does_not_say_how_long_it_is_is_sent_with_its_length(whole: int, size: int) -> None:
    data = written("WAV", "PCM_16")
    assert content(WANTED, in_pipe(data, whole, size), None) == ((), data, "")
    floats = Input("audio", "float32", (-1, -1), "audio", 8000)
    assert content(floats, in_pipe(data, whole, size), None) == content(floats, data, None)


def test_an_extensible_wav_is_sent_as_a_plain_one() -> None:
    _, sent, _ = content(WANTED, written("WAVEX", "PCM_16"), None)
    assert int.from_bytes(sent[20:22], "little") == 1


def test_another_rate_is_refused_before_anything_is_decoded() -> None:
    with pytest.raises(
        InvalidArgument, match="44,100 samples a second in one channel; the model takes 8,000"
    ) as caught:
        content(WANTED, written("FLAC", "PCM_16", 44_100), None)
    assert caught.value.reason == "AUDIO_RATE"


def test_a_small_file_of_a_long_sound_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_FILE_BYTES", 1599)
    monkeypatch.setattr(waves, "decode", None)
    flac = written("FLAC", "PCM_16")
    assert len(flac) < 1599
    with pytest.raises(InvalidArgument, match=r"the file unpacks to 1,600 bytes; 1,599 fit into a request$") as caught:
        content(WANTED, flac, None)
    assert (caught.value.reason, caught.value.field) == ("AUDIO_UNUSABLE", "audio_bytes")


@pytest.mark.parametrize("wanted", [WANTED, Input("audio", "float32", (-1, 800), "audio", 8000)])
def test_samples_that_are_no_numbers_are_refused_before_they_are_sent(wanted: Input) -> None:
    out = io.BytesIO()
    soundfile.write(out, np.where(np.arange(800) == 400, np.nan, SOUND), 8000, format="WAV", subtype="FLOAT")
    with pytest.raises(InvalidArgument, match=r"holds samples that are no numbers .* after 0\.05 s") as caught:
        content(wanted, out.getvalue(), None)
    assert (caught.value.reason, caught.value.field) == ("AUDIO_UNUSABLE", wanted.name)


@pytest.mark.parametrize("subtype", ["MS_ADPCM", "IMA_ADPCM", "GSM610"])
def test_a_compressed_wav_is_sent_whole_as_samples_or_as_a_wav_of_16_bits(subtype: str) -> None:
    data = written("WAV", subtype)
    _, sent, _ = content(WANTED, data, None)
    samples, rate = soundfile.read(io.BytesIO(sent), dtype="float32")
    assert (rate, samples[400:800]) == (8000, pytest.approx(SOUND[400:], abs=0.1))
    shape, floats, _ = content(Input("audio", "float32", (-1, -1), "audio", 8000), data, None)
    assert shape[0] in range(800, 800 + 505)
    assert np.frombuffer(floats, np.float32)[: len(samples)] == pytest.approx(samples, abs=1e-3)


def test_a_sound_of_unknown_length_is_sent_whole_as_a_wav() -> None:
    _, sent, _ = content(WANTED, of_unknown_length(written("FLAC", "PCM_16")), None)
    samples, rate = soundfile.read(io.BytesIO(sent))
    assert (rate, samples) == (8000, pytest.approx(SOUND, abs=1e-3))


@pytest.mark.parametrize(
    ("taken", "note"), [(-1, ""), (900, ""), (200, "of the file, 0.1 s long, the first 0.0 s are used")]
)
def test_a_sound_of_unknown_length_is_sent_as_so_many_samples_as_the_model_takes(taken: int, note: str) -> None:
    data = of_unknown_length(written("FLAC", "PCM_16"))
    shape, sent, said = content(Input("audio", "float32", (-1, taken), "audio", 8000), data, None)
    assert (shape, said) == ((800 if taken < 0 else taken,), note)
    samples = np.frombuffer(sent, np.float32)
    assert samples == pytest.approx(np.append(SOUND, np.zeros(100))[: len(samples)], abs=1e-3)


@pytest.mark.parametrize("wanted", [WANTED, Input("audio", "float32", (-1, -1), "audio", 8000)])
def test_a_sound_of_unknown_length_that_is_too_long_is_refused_before_it_is_in_memory(
    wanted: Input, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "MAX_SAMPLES", 700)
    with pytest.raises(InvalidArgument, match="at most 700 are decoded, so cut it into pieces") as caught:
        content(wanted, of_unknown_length(written("FLAC", "PCM_16")), None)
    assert caught.value.reason == "AUDIO_UNUSABLE"


def test_opus_is_sent_at_the_rate_that_its_header_says_whatever_it_decodes_at() -> None:
    data = written("OGG", "OPUS")
    assert soundfile.info(io.BytesIO(data)).samplerate == 8000
    _, sent, _ = content(Input("audio_bytes", "string", (-1,), "audio", 48_000), data, None)
    with wave.open(io.BytesIO(sent)) as file:
        assert (file.getframerate(), file.getnframes()) == (48_000, 4800)
