"""Digits spoken one after another by a program."""

import os
import platform
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from modelyard.layouts import Options
from modelyard.sdk.errors import FailedPrecondition
from modelyard.sdk.gallery.generated.draws import Draws
from modelyard.sdk.gallery.packages import Wheel
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.sounds import espeak
from modelyard.sdk.gallery.sounds.waves import to_wav
from modelyard.sdk.gallery.writing import write_csv

if TYPE_CHECKING:
    from numpy.typing import NDArray

ESPEAK = Wheel(
    "espeakng-loader", "0.2.4", ("08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d",), 10_078_484
)
_SEED = 1
_COUNTS = {"train": 2_500, "validation": 200, "test": 400}
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_ACCENTS = ("en", "en-us", "en-gb-scotland")
_SEEN = ("m1", "m3", "m4", "m7", "f1", "f2", "f4", "Andy", "Denis", "Gene", "Michael", "Alicia", "linda", "steph")
_UNSEEN = ("m2", "m5", "f3", "Annie", "Mario", "belinda")
_FEWEST, _MOST = 2, 6
RATE = espeak.RATE // 2
_WITHOUT = ",".join(
    f"-{name}{usable}" for name in ("AVX512F", "AVX2", "AVX", "FMA", "FMA4") for usable in ("", "_Usable")
)
"""So that the C library computes sines in the one way that every machine knows; else the last bits differ."""


def check_machine() -> None:
    """Raise FailedPrecondition where the package has no program that is pinned."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise FailedPrecondition(
            f"digit-strings are spoken by a program that is pinned for Linux on x86-64; this is {sys.platform} on "
            f"{platform.machine()}: import them there and `datasets pull` them here",
            reason="MACHINE_NOT_SUPPORTED",
        )


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>.csv` names the files and the digits in them. The test's voices are in no other split."""
    voice_folder = folder.parent / "espeak"
    with zipfile.ZipFile(packages[0]) as archive:
        archive.extractall(voice_folder)
    asked = [(split, number, *_request(split, number)) for split, count in _COUNTS.items() for number in range(count)]
    rows: dict[str, list[tuple[str, str]]] = {split: [] for split in _COUNTS}
    answers = _spoken([request for *_, request in asked], voice_folder / "espeakng_loader")
    for (split, number, digits, _), samples in zip(asked, answers, strict=True):
        name = f"{split}/{number:05}.wav"
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(to_wav(_halved(samples), RATE))
        rows[split].append((name, digits))
        steps(sum(map(len, rows.values())), len(asked))
    for split, each in rows.items():
        write_csv(folder / f"{split}.csv", ("audio", "transcript"), each)


def _request(split: str, number: int) -> tuple[str, str]:
    """Digits and how they are to be spoken."""
    draws = Draws("digit-strings", _SEED, split, number)
    digits = [draws.below(10) for _ in range(draws.between(_FEWEST, _MOST))]
    voice = f"{draws.pick(_ACCENTS)}+{draws.pick(_UNSEEN if split == 'test' else _SEEN)}"
    text = " ".join(_WORDS[digit] for digit in digits)
    line = f"{voice}\t{draws.between(150, 230)}\t{draws.between(25, 75)}\t{text}\n"
    return "".join(map(str, digits)), line


def _spoken(requests: list[str], folder: Path) -> Iterator[bytes]:
    """The samples of each request, in order. Raises ValueError if the program fails."""
    command = [sys.executable, "-I", str(Path(espeak.__file__)), str(folder)]
    # A hundred megabytes: more than /tmp has where it is memory.
    with TemporaryFile(dir=folder) as answers, TemporaryFile(dir=folder) as said:
        ran = subprocess.run(
            command,
            input="".join(requests).encode(),
            stdout=answers,
            stderr=said,
            env={**os.environ, "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={_WITHOUT}"},
            check=False,
        )
        if ran.returncode != 0:
            said.seek(0)
            raise ValueError((said.read().decode(errors="replace").strip().splitlines() or ["eSpeak NG failed"])[-1])
        answers.seek(0)
        while head := answers.read(4):
            yield answers.read(2 * struct.unpack("<I", head)[0])


def _halved(samples: bytes) -> bytes:
    """At half the rate: each two samples become their mean; without the silence at both ends."""
    import numpy as np

    loud: NDArray[np.int16] = np.frombuffer(samples, "<i2")
    pairs = loud[: len(loud) // 2 * 2].astype(np.int32).reshape(-1, 2).sum(axis=1) >> 1
    heard = np.flatnonzero(np.abs(pairs) > 64)
    first, last = (int(heard[0]), int(heard[-1])) if len(heard) else (0, len(pairs))
    margin = RATE // 20
    kept: bytes = pairs[max(0, first - margin) : last + margin].astype("<i2").tobytes()
    return kept


DIGIT_STRINGS = Set(
    name="digit-strings",
    modality="audio",
    title="3,100 strings of two to six digits, spoken in English by a program; six voices are in the test only",
    licence="GPL-3 (the program that speaks)",
    origin="generated: eSpeak NG 1.52 out of espeakng-loader",
    packages=(ESPEAK,),
    digest="5535219c5ab216e9ed5fc9b6fcb8ea99c2ea471a916ea9b25a75b0149a667a00",
    size=77_752_853,
    make=make,
    needs=("numpy",),
    options=Options(features={"transcript": {"kind": "text", "role": "target"}}),
    seed=_SEED,
    machine=check_machine,
)
