"""Names that people give: splits, files, columns."""

import keyword
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

SPLIT_ALIASES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "validation": "validation",
    "validate": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}
"""What folders, files and the values of a column `split` are called -> the split. Case does not matter."""

IMAGES = {
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".gif": "gif",
    ".bmp": "bmp",
    ".webp": "webp",
}
SOUNDS = {".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".oga": "ogg"}
VIDEOS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mp4", ".webm": "webm", ".mkv": "webm", ".gif": "gif"}
TEXTS = {".txt": "text"}
TABLES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_TFRECORD = re.compile(r"\.tfrecords?(-\d+-of-\d+)?$")
_NO_IDENTIFIER = re.compile(r"[^a-z0-9]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MAX_NAME = 60


def suffix(path: str) -> str:
    """The last ending in lower case, with its dot; "" where there is none."""
    name = path.rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def is_tfrecord(path: str) -> bool:
    return _TFRECORD.search(path.lower()) is not None


def split_of_name(path: str) -> str:
    """The split that a file's first folder or its own name speaks of: `train/a.csv`, `val2017.csv`, `adult-test-1.csv`.

    "" where they speak of none.
    """
    top, slash, _ = path.partition("/")
    if slash and top.lower() in SPLIT_ALIASES:
        return SPLIT_ALIASES[top.lower()]
    words = [word.rstrip("0123456789") for word in re.split(r"[-_. ]+", path.rpartition("/")[2].lower())]
    found = {SPLIT_ALIASES[word] for word in (words[0], *words[1:-1]) if word in SPLIT_ALIASES}
    return found.pop() if len(found) == 1 else ""


def in_known_split(path: str) -> str:
    """With a first folder of a split called as readers know it: `Val/a.png` becomes `validation/a.png`."""
    top, slash, rest = path.partition("/")
    return f"{SPLIT_ALIASES[top.lower()]}/{rest}" if slash and top.lower() in SPLIT_ALIASES else path


def identifier(header: str) -> str:
    """`[a-z0-9_]`: `Marital Status` becomes `marital_status`, `userId` `user_id`; `0` becomes `field_0`, as TensorFlow
    calls no input by a digit; "" where nothing is left."""
    name = _NO_IDENTIFIER.sub("_", _HUMP.sub("_", header).lower()).strip("_")
    return f"field_{name}" if name[:1].isdecimal() else name


def feature_names(headers: Iterable[str]) -> list[str]:
    """An identifier for each header, all different. A model's input is a parameter to TensorFlow, so a word that can be
    none in Python gets a `_`: `class_`, `from_`."""
    names: list[str] = []
    for number, header in enumerate(headers, 1):
        plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode()
        name = identifier(plain)[:_MAX_NAME].strip("_") or f"column_{number}"
        name += "_" * (keyword.iskeyword(name) or name == "self")
        unique, again = name, 2
        while unique in names:
            unique, again = f"{name}_{again}", again + 1
        names.append(unique)
    return names


def what_is_there(paths: Iterable[str]) -> str:
    """Such as `it has 30 × .png, 2 × .txt`."""
    endings = Counter(suffix(path) or "no suffix" for path in paths)
    if not endings:
        return "it is empty"
    return "it has " + ", ".join(f"{count:,} × {ending}" for ending, count in endings.most_common(4))
