"""Sentences of film reviews and whether twenty people found them positive."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from modelyard.sdk.gallery.packages import Sdist
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_splits

_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_MEMBER = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`text` and `label`; the mean of the people's ratings, from -4 to 4, gives the label. Those of 0 are left out."""
    splits: dict[str, list[tuple[str, str]]] = {split: [] for split in SPLITS}
    with tarfile.open(packages[0]) as outer, tarfile.open(fileobj=member(outer, _ARCHIVE)) as inner:
        lines = member(inner, _MEMBER).read().decode().splitlines()
    for line in lines:
        if not line.strip():
            continue
        _, rating, text = line.split("\t")
        if float(rating) != 0:
            text = text.strip()
            splits[split_of(text.lower())].append((text, "positive" if float(rating) > 0 else "negative"))
    write_splits(folder, ("text", "label"), splits)


def member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of an archive, in memory. Raises KeyError if it is not there."""
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(f"{name} is no file")
    return io.BytesIO(found.read())


SENTIMENT = Set(
    name="sentiment",
    modality="text",
    title="10,568 sentences of film reviews, positive or negative, rated by twenty people each",
    licence="MIT (the package)",
    origin="Hutto & Gilbert, VADER, ICWSM 2014; sentences of reviews on rottentomatoes.com",
    packages=(
        Sdist("vaderSentiment", "3.3.2", "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9", 2_466_783),
    ),
    digest="2b2c1b714e1105d6f5096bd1ad239eeaa3594b9b1fea704599769241592aea7f",
    size=1_298_282,
    make=make,
)
