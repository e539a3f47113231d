"""Prompts in three of the languages of the set `prompts`, by voices that are not in it."""

from collections.abc import Sequence
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.packages import Deb
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.sounds.waves import to_wav
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_splits

_SOUNDS = "usr/share/asterisk/sounds"
_VOICES = {"italian": "it_IT_f_Menardi", "french": "fr", "spanish": "es"}
_SILENCE = "silence"
_HEADER_BYTES = 44
_RATE = 8_000


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>.csv` names the sounds; a prompt is on the same side of the split as in `prompts`.

    The French and Spanish ones come as GSM 06.10, a telephone's compression, and are decoded.
    """
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    places = {
        language: package / _SOUNDS / voice
        for package, (language, voice) in zip(packages, _VOICES.items(), strict=True)
    }
    found = [(language, path) for language, place in places.items() for path in sorted(place.rglob("*.[gw][sa][mv]"))]
    for number, (language, path) in enumerate(found):
        steps(number, len(found))
        parts = path.relative_to(places[language]).with_suffix(".wav").parts
        if parts[0] == _SILENCE or path.stat().st_size <= _HEADER_BYTES:
            continue
        split = split_of(prompt := "-".join(parts))
        name = f"{split}/{language}/{prompt}"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(path.read_bytes() if path.suffix == ".wav" else _decoded(path))
        rows[split].append((name, language))
    write_splits(folder, ("audio", "label"), rows)


def _decoded(path: Path) -> bytes:
    """A WAV file; GSM has no header."""
    import soundfile

    samples, _ = soundfile.read(str(path), dtype="int16", format="RAW", subtype="GSM610", samplerate=_RATE, channels=1)
    return to_wav(samples.astype("<i2").tobytes(), _RATE)


PROMPTS_SECOND_VOICE = Set(
    name="prompts-second-voice",
    modality="audio",
    title="1,100 prompts in Italian, French and Spanish by voices that are not in prompts, 8 kHz",
    licence="CC BY-SA 3.0 Italy; BSD (French); GPL-2 (Spanish)",
    origin="Marco Menardi and Paola Dal Zot, http://www.voip.ammdomus.it; Armelle Desjardins; Avatar Ltda.",
    packages=(
        Deb(
            "asterisk-prompt-it-menardi-wav",
            "1:1.4.22+mm20110907-3.1",
            "3094530d98f8758ac275572d59624c41f60969fef883f34f4886d144f3dfeb21",
            18_776_300,
        ),
        Deb(
            "asterisk-prompt-fr-armelle",
            "20070613-2.2",
            "162570b1a9b3512a98f06b89f60c7c17cf1b9b52297315adca9a4e5be728bea3",
            1_496_780,
        ),
        Deb(
            "asterisk-prompt-es-co",
            "0.20070403-2.1",
            "6702696e045514699e87dc8fb70f370717e5df91f821f7bec8dd0df1be008e83",
            992_708,
        ),
    ),
    digest="f11db3c237cd951e30fbb60e8787dbbb7b515c6a91d912cfe7a6f4f52c9edb2a",
    size=47_381_804,
    make=make,
    needs=("numpy", "soundfile"),
    options=Options(features={"label": {"kind": "category", "role": "target"}}),
)
