"""Emoji as Google draws them."""

import json
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

from modelyard.sdk.gallery.packages import Tarball
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.texts.sentiment import member

_PICTURES = "package/img/google/64/"
_TEST = 20
"""Percent."""
LEFT_OUT = "Component"
"""The category of skin tones and hair, which are no pictures by themselves."""
_GENDER = re.compile(r"\b(man|woman|men|women|person|people|boy|girl|male|female)\b")


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>/<category>/<name>.png`. A man and a woman who do the same stay on the same side of the split."""
    with tarfile.open(packages[0]) as archive:
        listed = json.load(member(archive, "package/emoji.json"))
        wanted = {each["image"]: each for each in listed if each["category"] != LEFT_OUT}
        for entry in archive:
            directory, _, name = entry.name.rpartition("/")
            if f"{directory}/" == _PICTURES and name in wanted and (file := archive.extractfile(entry)):
                each = wanted.pop(name)
                split = split_of(f"emoji/{alike(each)}", _TEST, 0)
                path = folder / split / _folder_name(each["category"]) / f"{each['short_name'].replace('/', '-')}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())
    if wanted:
        raise ValueError(f"there is no picture {min(wanted)}")


def alike(emoji: dict[str, str]) -> str:
    """The same for emoji that differ only in who it is."""
    name = (emoji["name"] or emoji["short_name"]).lower().replace(",", " ")
    return " ".join(_GENDER.sub("", name).split())


def _folder_name(category: str) -> str:
    return category.lower().replace(" & ", "-").replace(" ", "-")


EMOJI = Set(
    name="emoji",
    modality="image",
    title="1,906 emoji, 64 × 64 with transparency, in nine categories such as animals-nature and food-drink",
    licence="MIT (the package); Apache-2.0 (the drawings)",
    origin="emoji-data by Cal Henderson; Noto Color Emoji by Google",
    packages=(
        Tarball(
            "emoji-datasource-google",
            "16.0.0",
            "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
            74_344_091,
        ),
    ),
    digest="6bbaea8f13c1a77fe5ce801eade2281a96be55497e5c99d12c850992e04546af",
    size=6_137_909,
    make=make,
)
