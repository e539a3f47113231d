"""Columns that name files of the tree."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

from modelyard.layouts.files import Files
from modelyard.layouts.names import IMAGES, SOUNDS, SPLIT_ALIASES, VIDEOS, in_known_split, split_of_name, suffix

OWN_FOLDER = "./"
"""In a feature's `folder`: the folder that the table itself lies in."""
ENDINGS = frozenset({*IMAGES, *SOUNDS, *VIDEOS})
_MAX_FOLDERS = 200
_WORD = re.compile(r"[^-_. ]+?(?=[0-9]*([-_. ]|$))")


@dataclass(frozen=True, slots=True)
class FileColumn:
    """Where the files lie that a column names."""

    kind: str
    """image, audio, video"""
    folder: str
    suffix: str
    _shares: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)
    """A table of one split -> whether its files lie in the folder of another's."""

    def find(self, table: str, value: str, files: Files) -> str:
        """The file that a value means, in the tree; where it lacks, the path that it should have.

        Folders of splits may have got the names that readers know. A table of one split has its files in that split's
        folder wherever those of the other tables lie; or it shares theirs, as its first file shows.
        """
        name = value.strip().replace("\\", "/").removeprefix("./") + self.suffix
        if not name.isascii():
            name = unicodedata.normalize("NFC", name)
        places = {False: _folders(self.folder, table, split_of_name(table)), True: _folders(self.folder, table, "")}
        shares = self._shares.get(table)
        for shared in (False, True) if shares is None else (shares,):
            if found := _first(places[shared], name, files):
                self._shares[table] = shared
                return found
        return places[bool(shares)][0] + name


@dataclass(frozen=True, slots=True)
class MediaFiles:
    """Where the tree's images, sounds and videos lie, and how their names end."""

    folders: Sequence[str]
    endings: Sequence[str]

    @classmethod
    def among(cls, files: Files) -> "MediaFiles":
        """Of all files of a tree."""
        paths = [path for path in files if suffix(path) in ENDINGS]
        folders = {folder for path in paths for folder in accumulate(re.findall("[^/]*/", path), initial="")}
        return cls(sorted(folders), sorted({"." + path.rpartition(".")[2] for path in paths}))


def place_of_files(table: str, found: Sequence[str], there: MediaFiles, files: Files) -> FileColumn | None:
    """The folder and the ending with which most of the values are files; None where there is none.

    Folders of the table's own split come before others.
    """
    own = table.rpartition("/")[0]
    prefix = f"{own}/" if own else ""
    split = split_of_name(table)
    folders = list(there.folders)
    if split:
        folders.sort(key=lambda folder: _split_of_folder(folder) != split)
    folders = folders[:_MAX_FOLDERS]
    inside = [OWN_FOLDER + folder.removeprefix(prefix) for folder in folders if prefix and folder.startswith(prefix)]
    for folder in dict.fromkeys([OWN_FOLDER if own else "", "", *inside, *folders]):
        for ending in ("", *there.endings):
            column = FileColumn("", folder, ending)
            paths = [column.find(table, value, files) for value in found]
            if sum(path in files and suffix(path) in ENDINGS for path in paths) * 2 > len(paths):
                return column
    return None


def _split_of_folder(folder: str) -> str:
    """The split that the last of its names that speaks of one speaks of: `images/train/`, `test_images/`."""
    for name in reversed(folder.split("/")):
        # With an ending, as only what stands before one speaks of a split.
        if found := split_of_name(f"{name}.x"):
            return found
    return ""


def _first(folders: Sequence[str], name: str, files: Files) -> str:
    """The first of these files that there is, "" where there is none."""
    for folder in folders:
        if (path := folder + name) in files or (path := in_known_split(path)) in files:
            return path
    return ""


@lru_cache(1024)
def _folders(folder: str, table: str, split: str) -> tuple[str, ...]:
    """What the folder may be called in the tree, for this table: as it is, unless its name speaks of another split."""
    other = _split_of_folder(folder)
    folders = [folder]
    if split and other and other != split:
        names = folder.split("/")
        spoken = [at for at, name in enumerate(names) if _split_of_folder(name) == other]
        folders = [
            "/".join(_with_word(name, other, word) if at in places else name for at, name in enumerate(names))
            for places in (spoken, spoken[-1:])
            for alias, meant in SPLIT_ALIASES.items()
            if meant == split
            for word in (alias, alias.capitalize(), alias.upper())
        ]
    own = table[: table.rfind("/") + 1]
    return tuple(own + each.removeprefix(OWN_FOLDER) if each.startswith(OWN_FOLDER) else each for each in folders)


def _with_word(name: str, split: str, word: str) -> str:
    """A folder's name with another word for the split."""
    return _WORD.sub(lambda found: word if SPLIT_ALIASES.get(found[0].lower()) == split else found[0], name)
