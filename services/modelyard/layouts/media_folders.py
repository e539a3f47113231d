"""Which kind of files people have."""

from collections import Counter
from collections.abc import Iterable

from modelyard.layouts import media
from modelyard.layouts.files import Files
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.names import suffix
from modelyard.layouts.videos import count_gif_frames

_LOOKED_AT = 8


def kinds_there(paths: Iterable[str]) -> Counter[str]:
    """How many files are of which kind by their endings; GIFs count as images."""
    kinds: Counter[str] = Counter()
    endings = Counter(map(suffix, paths))
    for kind, known in media.SUFFIXES.items():
        kinds[kind] = sum(count for ending, count in endings.items() if ending in known)
    kinds["video"] -= endings[".gif"]
    return +kinds


def kind_of_files(paths: Iterable[str], files: Files, modality: str = "") -> str:
    """The kind that most of the files are; GIFs that move are videos, unless `modality` says what they are."""
    found = sorted(paths)
    gifs = [path for path in found if suffix(path) == ".gif"]
    kinds = kinds_there(found)
    if gifs and len(gifs) == kinds["image"]:
        moving = modality == "video" or (modality != "image" and any(_moves(path, files) for path in gifs[:_LOOKED_AT]))
        if moving or kinds["video"]:
            return "video"
    if modality and kinds[modality]:
        return modality
    return kinds.most_common(1)[0][0] if kinds else ""


def _moves(path: str, files: Files) -> bool:
    try:
        return count_gif_frames(files[path], enough=2) > 1
    except UnusableError:
        return False
