"""Emoji as three artists draw them: the same thing three times, and of many things."""

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from modelyard.sdk.gallery.images.emoji import EMOJI, LEFT_OUT, alike
from modelyard.sdk.gallery.packages import Tarball
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.texts.sentiment import member

_PLACES = {"google": "package/img/google/64/", "twitter": "package/img/twitter/64/", "fluent": "package/assets/"}
"""Artist -> folder of the package, in the order of the packages."""
_TEST, _VALIDATION = 25, 10
"""Percent of what is drawn; no identity is in two splits, and no two that differ only in who it is."""


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>/<name>/<artist>.<png or webp>` of what all three have drawn, as they have stored it."""
    with tarfile.open(packages[0]) as archive:
        listed = json.load(member(archive, "package/emoji.json"))
    by_stem = {Path(each["image"]).stem: each for each in listed if each["category"] != LEFT_OUT}
    drawn = {
        artist: _listed(package, place) for package, (artist, place) in zip(packages, _PLACES.items(), strict=True)
    }
    whole = set(by_stem).intersection(*drawn.values())
    if not whole:
        raise ValueError("the three have drawn nothing in common")
    for done, (package, (artist, place)) in enumerate(zip(packages, _PLACES.items(), strict=True)):
        with tarfile.open(package) as archive:
            for entry in archive:
                directory, _, name = entry.name.rpartition("/")
                path = Path(name)
                if f"{directory}/" != place or path.stem not in whole or (file := archive.extractfile(entry)) is None:
                    continue
                each = by_stem[path.stem]
                split = split_of(f"identities/{alike(each)}", _TEST, _VALIDATION)
                target = folder / split / each["short_name"].replace("/", "-") / f"{artist}{path.suffix}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read())
        steps(done + 1, len(packages))


def _listed(package: Path, place: str) -> set[str]:
    """The names of the pictures in it, without their endings."""
    with tarfile.open(package) as archive:
        return {Path(name).stem for name in archive.getnames() if name.startswith(place)}


EMOJI_IDENTITIES = Set(
    name="emoji-identities",
    modality="image",
    title="1,852 emoji, each drawn by three artists: pictures of the same and of another thing",
    licence="MIT (the packages); Apache-2.0 (Google's drawings), CC-BY-4.0 (Twitter's), MIT (Microsoft's)",
    origin="emoji-data by Cal Henderson; Noto Color Emoji by Google; Twemoji by Twitter; Fluent Emoji by Microsoft",
    packages=(
        *EMOJI.packages,
        Tarball(
            "emoji-datasource-twitter",
            "16.0.0",
            "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
            61_683_754,
        ),
        Tarball(
            "@lobehub/fluent-emoji-3d",
            "1.1.0",
            "c1bb7eee7de090205a232518a9ab4adb3df458bfbe8a1f78232991194c8b2e58",
            15_792_027,
        ),
    ),
    digest="646b6dbee38e458369f63d3b4ec167368b3ec7237e1a9b82958ae4e859f305b7",
    size=19_812_997,
    make=make,
)
