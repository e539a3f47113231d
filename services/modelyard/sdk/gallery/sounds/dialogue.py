"""Dialogues of the game Fish Fillets, spoken in Czech and in Dutch, with what is said."""

import re
from collections.abc import Sequence
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.packages import Deb
from modelyard.sdk.gallery.sets import Make, Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_csv

_GAME = "usr/share/games/fillets-ng"
_STRING = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rf"dialogId\(\s*{_STRING}\s*,\s*{_STRING}\s*,\s*{_STRING}\s*\)\s*dialogStr\(\s*{_STRING}\s*\)", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_HEADER = ("audio", "transcript", "speaker", "english")


def making(language: str) -> Make:
    """How the set of a language is made."""

    def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
        """`<split>.csv` beside `<split>/<level>/<line>.ogg`. The same words are on the same side of the split."""
        script, sound = packages[0] / _GAME / "script", packages[1] / _GAME / "sound"
        rows: dict[str, list[tuple[str, ...]]] = {split: [] for split in SPLITS}
        levels = sorted(script.glob(f"*/dialogs_{language}.lua"))
        for number, level in enumerate(levels):
            steps(number, len(levels))
            for line, font, english, words in _LINE.findall(level.read_text(encoding="utf-8")):
                spoken = sound / level.parent.name / language / f"{line}.ogg"
                transcript = _plain(words)
                if not transcript or not spoken.is_file():
                    continue
                split = split_of(transcript.lower())
                path = f"{split}/{level.parent.name}/{line}.ogg"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(spoken.read_bytes())
                rows[split].append((path, transcript, font.removeprefix("font_"), _plain(english)))
        for split, each in rows.items():
            write_csv(folder / f"{split}.csv", _HEADER, each)

    return make


def _plain(text: str) -> str:
    return " ".join(_ESCAPED.sub(r"\1", text).split())


_SCRIPTS = Deb(
    "fillets-ng-data", "1.0.1-1.1", "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84", 70_633_484
)
_OPTIONS = Options(target="transcript", features={name: {"role": "ignore"} for name in ("speaker", "english")})
_LICENCE = "GPL-2.0-only"
_ORIGIN = "Fish Fillets by ALTAR Games, and its translators; Debian's fillets-ng-data"

DIALOGUE_CS = Set(
    name="dialogue-cs",
    modality="audio",
    title="1,700 lines of dialogue in Czech, 1.6 hours, with transcripts; two main speakers",
    licence=_LICENCE,
    origin=_ORIGIN,
    packages=(
        _SCRIPTS,
        Deb(
            "fillets-ng-data-cs",
            "1.0.1-1.1",
            "3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14",
            39_042_172,
        ),
    ),
    digest="a3e7ca6e70d5e904f65850c5bda93b1dd37a572caaeb06cc67eb6c46f497804f",
    size=42_301_270,
    make=making("cs"),
    options=_OPTIONS,
)
DIALOGUE_NL = Set(
    name="dialogue-nl",
    modality="audio",
    title="1,500 lines of dialogue in Dutch, 1.5 hours, with transcripts; two speakers",
    licence=_LICENCE,
    origin=_ORIGIN,
    packages=(
        _SCRIPTS,
        Deb(
            "fillets-ng-data-nl",
            "1.0.1-1.1",
            "afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10",
            32_593_580,
        ),
    ),
    digest="35cae4288647b373e96fa07e752e70a7c10fe91844900b8edbd5883cd78348ec",
    size=37_154_564,
    make=making("nl"),
    options=_OPTIONS,
)
