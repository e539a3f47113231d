"""Columns that name files of the tree."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.layouts.files import Files
from modelyard.layouts.names import IMAGES, SOUNDS, VIDEOS, in_known_split, split_of_name, suffix

OWN_FOLDER = "./"
"""In a feature's `folder`: the folder that the table itself lies in."""
ENDINGS = frozenset({*IMAGES, *SOUNDS, *VIDEOS})
_MAX_FOLDERS = 200


@dataclass(frozen=True, slots=True)
class FileColumn:
    """Where the files lie that a column names."""

    kind: str
    """image, audio, video"""
    folder: str
    suffix: str

    def path(self, table: str, value: str) -> str:
        """The file that a value means, in the tree."""
        name = value.strip().replace("\\", "/").removeprefix("./")
        if not name.isascii():
            name = unicodedata.normalize("NFC", name)
        folder = self.folder
        if folder.startswith(OWN_FOLDER):
            own, slash, _ = table.rpartition("/")
            folder = own + slash + folder.removeprefix(OWN_FOLDER)
        return folder + name + self.suffix

    def find(self, table: str, value: str, files: Files) -> str:
        """The same where folders of splits may have got the names that readers know; `path` where there is no file."""
        path = self.path(table, value)
        if path in files:
            return path
        known = in_known_split(path)
        return known if known in files else path


@dataclass(frozen=True, slots=True)
class MediaFiles:
    """Where the tree's images, sounds and videos lie, and how their names end."""

    folders: Sequence[str]
    endings: Sequence[str]

    @classmethod
    def among(cls, files: Files) -> "MediaFiles":
        """Of all files of a tree."""
        paths = [path for path in files if suffix(path) in ENDINGS]
        folders = sorted({path[: path.rfind("/") + 1] for path in paths})
        return cls(folders, sorted({"." + path.rpartition(".")[2] for path in paths}))


def place_of_files(table: str, found: Sequence[str], there: MediaFiles, files: Files) -> FileColumn | None:
    """The folder and the ending with which most of the values are files; None where there is none.

    Folders of the table's own split come before others.
    """
    own = table.rpartition("/")[0]
    prefix = f"{own}/" if own else ""
    split = split_of_name(table)
    folders = list(there.folders)
    if split:
        folders.sort(key=lambda folder: split_of_name(folder.rstrip("/").rpartition("/")[2]) != split)
    folders = folders[:_MAX_FOLDERS]
    inside = [OWN_FOLDER + folder.removeprefix(prefix) for folder in folders if prefix and folder.startswith(prefix)]
    for folder in dict.fromkeys([OWN_FOLDER if own else "", "", *inside, *folders]):
        for ending in ("", *there.endings):
            column = FileColumn("", folder, ending)
            paths = [column.find(table, value, files) for value in found]
            if sum(path in files and suffix(path) in ENDINGS for path in paths) * 2 > len(paths):
                return column
    return None
