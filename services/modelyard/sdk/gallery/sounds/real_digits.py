"""Digits that a person has spoken, one recording each, joined to strings."""

import wave
from collections.abc import Sequence
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.generated.draws import Draws
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.sounds.prompts import PROMPTS
from modelyard.sdk.gallery.sounds.waves import to_wav
from modelyard.sdk.gallery.writing import write_splits

_DIGITS = "usr/share/asterisk/sounds/en_US_f_Allison/digits"
_RATE = 8_000
_COUNTS, _SEED = {"train": 126, "test": 126}, 1
_FEWEST, _MOST = 2, 6


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>.csv` names the files and the digits in them, with short silences between."""
    spoken = []
    for digit in range(10):
        with wave.open(str(packages[0] / _DIGITS / f"{digit}.wav")) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (_RATE, 1, 2):
                raise ValueError(f"digit {digit} is not in 16 bits at {_RATE} samples a second")
            spoken.append(file.readframes(file.getnframes()))
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in _COUNTS}
    for split, count in _COUNTS.items():
        (folder / split).mkdir()
        for number in range(count):
            draws = Draws("spoken-digits", _SEED, split, number)
            digits = [draws.below(10) for _ in range(draws.between(_FEWEST, _MOST))]
            sound = b"".join(spoken[digit] + bytes(2 * draws.between(0, _RATE // 10)) for digit in digits)
            name = f"{split}/{number:05}.wav"
            (folder / name).write_bytes(to_wav(sound, _RATE))
            rows[split].append((name, "".join(map(str, digits))))
            steps(sum(map(len, rows.values())), sum(_COUNTS.values()))
    write_splits(folder, ("audio", "transcript"), rows)


SPOKEN_DIGITS = Set(
    name="spoken-digits",
    modality="audio",
    title="252 strings of digits joined from ten recordings of one real voice, 8 kHz",
    licence="CC BY-SA 3.0",
    origin="Asterisk's core sounds: Allison Smith; joined by a program",
    packages=PROMPTS.packages[:1],
    digest="63d496564adb35314f4b861eb6d9b8b71c06b976169d64ac997757a22d0c7188",
    size=13_807_027,
    make=make,
    options=Options(features={"transcript": {"kind": "text", "role": "target"}}),
    seed=_SEED,
)
