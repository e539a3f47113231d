"""A dataset's own description: what whoever pushed it claims to be in it (`modelyard.dataset.json`).

{"format": 1, "layout": "class_folders" | "idx", "modality": "image", "split_rule": "hash-10" | "folder",
 "features": {"image": {"dtype": "uint8", "shape": [28, 28, 1], "encoding": "raw" | "png" | "jpeg"},
              "label": {"dtype": "int64", "classes": ["0", …]}},
 "splits": {"train": {"examples": 60000, "images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}, …}}
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from modelyard.job.errors import DatasetDescriptionWrong

DESCRIPTION_FILE = "modelyard.dataset.json"
FORMAT = 1
LAYOUTS = ("class_folders", "idx")
SPLIT_RULES = ("hash-10", "folder")
ENCODINGS = ("raw", "png", "jpeg")


@dataclass(frozen=True, slots=True)
class Split:
    """One part of a dataset; `images` and `labels` are the files of layout idx."""

    examples: int
    images: str = ""
    labels: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """What is claimed; `modelyard.job.examples` verifies it."""

    layout: str
    image_shape: tuple[int | None, int | None, int | None]
    """Height, width, channels; None where images differ."""
    encoding: str
    classes: tuple[str, ...]
    splits: Mapping[str, Split]
    split_rule: str = ""
    """How layout class_folders says which split a file belongs to."""


def hash_split(path: str) -> str:
    """Rule hash-10: about every tenth file is held out, and which ones depends on nothing but their paths."""
    return "test" if int.from_bytes(sha256(path.encode()).digest()[:4], "big") % 10 == 0 else "train"


def parse_description(data: bytes) -> Description:
    """Raises DatasetDescriptionWrong, naming the field."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"is not JSON: {error}") from error
    _require(isinstance(fields, dict), "is not a JSON object")
    _require(fields.get("format") == FORMAT, f"has format {fields.get('format')!r}; this version reads format {FORMAT}")
    _one_of(fields, "modality", ("image",))
    layout = _one_of(fields, "layout", LAYOUTS)
    image = _object(fields, "features", "image")
    label = _object(fields, "features", "label")
    _require(image.get("dtype") == "uint8", f"features.image.dtype is {image.get('dtype')!r}; only 'uint8' is read")
    shape = _shape(image.get("shape"))
    _require(
        layout != "idx" or None not in shape, "features.image.shape has a null; images of an IDX file are of one shape"
    )
    return Description(
        layout=layout,
        image_shape=shape,
        encoding=_one_of(image, "encoding", ("raw",) if layout == "idx" else ("png", "jpeg"), "features.image."),
        classes=_classes(label.get("classes")),
        splits=_splits(_object(fields, "splits"), layout),
        split_rule=_one_of(fields, "split_rule", SPLIT_RULES) if layout == "class_folders" else "",
    )


def _wrong(problem: str) -> DatasetDescriptionWrong:
    return DatasetDescriptionWrong(DESCRIPTION_FILE, problem)


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise _wrong(problem)


def _one_of(fields: Mapping[str, Any], name: str, allowed: tuple[str, ...], prefix: str = "") -> str:
    value = fields.get(name)
    _require(value in allowed, f"{prefix}{name} is {value!r}; it must be one of {', '.join(allowed)}")
    return str(value)


def _object(fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
    value: Any = fields
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    _require(isinstance(value, dict) and bool(value), f"{'.'.join(names)} is missing or not an object")
    return dict(value)


def _shape(value: Any) -> tuple[int | None, int | None, int | None]:
    valid = isinstance(value, list) and len(value) == 3
    valid = valid and all(n is None or (type(n) is int and 1 <= n <= 1 << 16) for n in value)
    _require(
        valid, f"features.image.shape is {value!r}; it must be [height, width, channels], null where images differ"
    )
    height, width, channels = value
    _require(channels in (None, 1, 3, 4), f"features.image.shape has {channels} channels; 1, 3, 4 or null are possible")
    return height, width, channels


def _classes(value: Any) -> tuple[str, ...]:
    valid = isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)
    _require(valid, "features.label.classes must be a list of at least one name")
    _require(len(set(value)) == len(value), "features.label.classes names a class twice")
    bad = next((name for name in value if not name.isprintable()), None)
    _require(bad is None, f"features.label.classes holds {bad!r}, which is not printable")
    return tuple(value)


def _splits(fields: dict[str, Any], layout: str) -> dict[str, Split]:
    splits = {}
    for name, value in fields.items():
        _require(
            name in ("train", "validation", "test"), f"splits.{name} is unknown; splits are train, validation, test"
        )
        examples = value.get("examples") if isinstance(value, dict) else None
        _require(type(examples) is int and 0 <= examples < 1 << 31, f"splits.{name}.examples is {examples!r}")
        files = {}
        if layout == "idx":
            for file in ("images", "labels"):
                path = value.get(file)
                _require(isinstance(path, str) and path != "", f"splits.{name}.{file} must name a file of the tree")
                files[file] = path
        splits[name] = Split(int(examples or 0), **files)
    _require("train" in splits, "splits has no 'train'")
    return splits
