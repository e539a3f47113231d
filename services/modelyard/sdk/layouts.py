"""Finds out how a folder is laid out and writes the dataset's own description, `modelyard.dataset.json`.

Two layouts, and what people already have is left as it is:

    class_folders   class/image.png, or train/class/image.png beside test/class/image.png, perhaps validation/…
    idx             train-images-idx3-ubyte and train-labels-idx1-ubyte, t10k-… or test-…, also .gz (MNIST's format)

The description claims; the worker verifies it before a training step.
"""

import gzip
import json
import re
import struct
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Any, Literal

from PIL import Image, UnidentifiedImageError

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source, Sources
from modelyard.sdk.png import HEAD_BYTES, ordinary_shape

DESCRIPTION_FILE = "modelyard.dataset.json"
FORMAT = 1
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp")
SPLITS = ("train", "validation", "test")
_SPLIT_FOLDERS = {
    "train": "train",
    "test": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}
_IDX_NAME = re.compile(
    r"(?P<split>train|t10k|test|validation)[-_.](?P<what>images|labels)[-_.]idx[13][-_.]ubyte(\.gz)?"
)
_IDX_SPLITS = {"train": "train", "t10k": "test", "test": "test", "validation": "validation"}
_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "RGB": 3, "P": 3, "RGBA": 4}
_MAX_LABEL_BYTES = 1 << 28

Layout = Literal["auto", "class_folders", "idx"]


class LayoutUnknown(InvalidArgument):
    """The folder is none of the layouts; the message says what was seen."""

    def __init__(self, message: str, reason: str = "LAYOUT_UNKNOWN") -> None:
        super().__init__(message, reason=reason)


@dataclass(frozen=True, slots=True)
class _Picture:
    split: str
    label: str
    height: int
    width: int
    channels: int
    format: str


def arrange(sources: Sources, layout: Layout = "auto") -> dict[str, Source]:
    """A folder's files as the dataset's tree has them, with their description: its own, where it has one.

    Everything keeps its path, but the folders of splits get the names that readers know: `Val/` becomes `validation/`.
    Raises LayoutUnknown (a sentence that says what was seen) and InvalidArgument for files that can't be read.
    """
    if DESCRIPTION_FILE in sources:
        return dict(sources)
    renamed = _with_known_splits(sources)
    return {**renamed, DESCRIPTION_FILE: describe(renamed, layout)}


def _with_known_splits(sources: Sources) -> Sources:
    tops = {path.partition("/")[0] for path in _examples(sources)}
    if not all(top.lower() in _SPLIT_FOLDERS for top in tops):
        return sources
    renamed: dict[str, Source] = {}
    for path, source in sources.items():
        top, slash, rest = path.partition("/")
        known = f"{_SPLIT_FOLDERS[top.lower()]}/{rest}" if slash and top in tops else path
        if known in renamed:
            raise LayoutUnknown(f"{path} and another file are both {known}; keep one folder for each split")
        renamed[known] = source
    return renamed


def describe(sources: Sources, layout: Layout = "auto") -> Source:
    """The description of a tree as one more file of it. Raises as `arrange` does."""
    idx_files = [path for path in sources if _IDX_NAME.fullmatch(path)]
    if layout == "idx" or (layout == "auto" and idx_files):
        fields = _describe_idx(sources, idx_files)
    else:
        fields = _describe_class_folders(sources)
    content = json.dumps(fields, indent=1, ensure_ascii=False).encode() + b"\n"
    return Source(len(content), content=content)


def _describe_class_folders(sources: Sources) -> dict[str, Any]:
    images = {path: source for path, source in _examples(sources).items() if _is_image(path)}
    if not images:
        if any(_is_image(path) for path in sources):
            raise LayoutUnknown("the images lie in no folder; put each into a folder of its class: class/image.png")
        raise LayoutUnknown(
            f"there is no image in this folder: {_what_is_there(sources)}. Expected class/image.png, "
            f"train/class/image.png, or MNIST's IDX files; images are {', '.join(IMAGE_SUFFIXES)}",
            reason="NO_IMAGES",
        )
    others = [path for path in _examples(sources) if not _is_image(path)]
    if others:
        raise LayoutUnknown(
            f"{others[0]!r}{f' and {len(others) - 1} more' if len(others) > 1 else ''} beside the images is no image; "
            f"images are {', '.join(IMAGE_SUFFIXES)}. Move it to the top of the folder, or remove it",
            reason="NOT_AN_IMAGE",
        )
    rule = _split_rule(list(images))
    pictures = [_picture(path, source, rule) for path, source in images.items()]
    classes = sorted({picture.label for picture in pictures})
    if len(classes) < 2:
        raise LayoutUnknown(
            f"there is one class only, {classes[0]!r}; a folder for each class is needed, at least two",
            reason="ONE_CLASS",
        )
    counts = Counter(picture.split for picture in pictures)
    if not counts["train"]:
        raise LayoutUnknown("no image belongs to the split 'train'; add images to it", reason="NO_TRAINING_IMAGES")
    formats = Counter("jpeg" if picture.format == "JPEG" else "png" for picture in pictures)
    shape = [
        _same([picture.height for picture in pictures]),
        _same([picture.width for picture in pictures]),
        _same([picture.channels for picture in pictures]),
    ]
    return {
        "format": FORMAT,
        "layout": "class_folders",
        "modality": "image",
        "split_rule": rule,
        "features": {
            "image": {"dtype": "uint8", "shape": shape, "encoding": formats.most_common(1)[0][0]},
            "label": {"dtype": "int64", "classes": classes},
        },
        "splits": {name: {"examples": counts[name]} for name in SPLITS if counts[name]},
    }


def _examples(sources: Sources) -> Sources:
    """What lies in folders; notes at the top, and what is hidden there, are no examples."""
    return {path: source for path, source in sources.items() if "/" in path and not path.startswith(".")}


def _is_image(path: str) -> bool:
    return path.lower().endswith(IMAGE_SUFFIXES)


def _split_rule(paths: Sequence[str]) -> str:
    """`folder` for train/class/image.png, `hash-10` for class/image.png; anything else is said."""
    depths = Counter(path.count("/") for path in paths)
    tops = {path.split("/")[0] for path in paths}
    if set(depths) == {2} and tops <= set(SPLITS):
        return "folder"
    if set(depths) == {1} and tops <= set(SPLITS):
        raise LayoutUnknown(f"{paths[0]!r} is in a split but in no class; expected train/class/image.png")
    if set(depths) == {1}:
        return "hash-10"
    odd = next((path for path in paths if path.count("/") != 1), paths[0])
    raise LayoutUnknown(
        f"images lie {' and '.join(f'{depth} folders deep ({count})' for depth, count in sorted(depths.items()))}, "
        f"such as {odd!r}; expected all as class/image.png, or all as train/class/image.png and test/class/image.png"
    )


def _picture(path: str, source: Source, rule: str) -> _Picture:
    segments = path.split("/")
    split = segments[0] if rule == "folder" else hash_split(path)
    try:
        shape = ordinary_shape(source.read(0, HEAD_BYTES))
        if shape is not None:
            return _Picture(split, segments[-2], *shape, "PNG")
        with Image.open(source.location or BytesIO(source.content)) as image:
            width, height = image.size
            return _Picture(split, segments[-2], height, width, _CHANNELS.get(image.mode, 3), image.format or "")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError) as error:
        raise InvalidArgument(
            f"{path} is not an image that can be read: {error}; remove it or save it again", reason="IMAGE_UNREADABLE"
        ) from error


def hash_split(path: str) -> str:
    """Rule hash-10: about every tenth image is held out, and which ones depends on their paths alone."""
    return "test" if int.from_bytes(sha256(path.encode()).digest()[:4], "big") % 10 == 0 else "train"


def _same(sizes: Sequence[int]) -> int | None:
    return sizes[0] if len(set(sizes)) == 1 else None


def _describe_idx(sources: Sources, files: Sequence[str]) -> dict[str, Any]:
    splits: dict[str, dict[str, str]] = {}
    for path in files:
        match = _IDX_NAME.fullmatch(path)
        assert match is not None
        splits.setdefault(_IDX_SPLITS[match["split"]], {})[match["what"]] = path
    if "train" not in splits:
        raise LayoutUnknown(
            f"there are no training images: {_what_is_there(sources)}. "
            "Expected train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    shapes, described, class_count = set(), {}, 0
    for name, pair in splits.items():
        if set(pair) != {"images", "labels"}:
            lacking = ({"images", "labels"} - set(pair)).pop()
            raise LayoutUnknown(f"split {name!r} has no file of {lacking} beside {next(iter(pair.values()))}")
        count, height, width = _idx_header(pair["images"], sources[pair["images"]], 3)
        (labels,) = _idx_header(pair["labels"], sources[pair["labels"]], 1)
        if labels != count:
            raise InvalidArgument(
                f"{pair['images']} has {count} images but {pair['labels']} {labels} labels", reason="COUNTS_DIFFER"
            )
        shapes.add((height, width))
        described[name] = {"examples": count, **pair}
        class_count = max(class_count, max(_read(sources[pair["labels"]], pair["labels"])[8:], default=-1) + 1)
    if len(shapes) != 1:
        raise InvalidArgument(f"the splits have images of different sizes: {sorted(shapes)}", reason="SHAPES_DIFFER")
    ((height, width),) = shapes
    return {
        "format": FORMAT,
        "layout": "idx",
        "modality": "image",
        "features": {
            "image": {"dtype": "uint8", "shape": [height, width, 1], "encoding": "raw"},
            "label": {"dtype": "int64", "classes": [str(label) for label in range(class_count)]},
        },
        "splits": described,
    }


def _idx_header(path: str, source: Source, dimensions: int) -> tuple[int, ...]:
    """The sizes that an IDX file of unsigned bytes declares. Source: the format's page beside the MNIST files."""
    length = 4 + 4 * dimensions
    head = _read(source, path, length)
    if len(head) < length or head[:4] != bytes([0, 0, 8, dimensions]):
        raise InvalidArgument(
            f"{path} is not an IDX file of unsigned bytes with {dimensions} dimension(s)", reason="IDX_UNREADABLE"
        )
    return struct.unpack(f">{dimensions}I", head[4:])


def _read(source: Source, path: str, length: int = _MAX_LABEL_BYTES) -> bytes:
    """The first bytes of a file, inflated where its name ends in .gz."""
    if not path.endswith(".gz"):
        return source.read(0, length)
    try:
        with gzip.open(source.location or BytesIO(source.content)) as file:
            return file.read(length)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidArgument(f"{path} is not a gzip file: {error}", reason="IDX_UNREADABLE") from error


def _what_is_there(sources: Mapping[str, Source]) -> str:
    suffixes = Counter(path.rpartition(".")[2].lower() if "." in path else "no suffix" for path in sources)
    if not suffixes:
        return "it is empty"
    return "it has " + ", ".join(f"{count} × .{suffix}" for suffix, count in suffixes.most_common(4))
