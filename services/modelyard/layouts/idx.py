"""Layout idx: the files of MNIST's format, `train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, perhaps as .gz.

Header: two zero bytes, a type (8 = uint8), the number of dimensions, then each as a big-endian uint32. Source: the
format's page beside the MNIST files.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import IO

from modelyard.layouts.chunks import CHUNK_BYTES, ROWS, Chunk, Column
from modelyard.layouts.description import SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, LayoutUnknown
from modelyard.layouts.files import File, Files, Range, is_gzip
from modelyard.layouts.names import SPLIT_ALIASES, what_is_there
from modelyard.layouts.text_files import open_bytes

_UINT8 = 8
_NAME = re.compile(
    r"(?P<split>train|t10k|test|validation|val)[-_.](?P<what>images|labels)[-_.]idx[134][-_.]ubyte(\.gz)?"
)
_MAX_HEADER_BYTES = 20
_CHUNK_BYTES = 1 << 20


def idx_files(paths: Iterable[str]) -> list[str]:
    """Those at the top whose names are of this format."""
    return [path for path in paths if _NAME.fullmatch(path)]


@dataclass(frozen=True, slots=True)
class _Header:
    bytes: int
    count: int
    shape: tuple[int, ...]
    """Height, width, channels of an image; () of a label."""


def describe(files: Files) -> Description:
    """Raises LayoutUnknown and DataUnreadable."""
    pairs: dict[str, dict[str, str]] = {}
    for path in idx_files(files):
        match = _NAME.fullmatch(path)
        assert match is not None
        split, what = SPLIT_ALIASES[match["split"]], match["what"]
        found = pairs.setdefault(split, {})
        other = found.get(what, path)
        # Many keep the .gz beside what they inflated.
        if other.removesuffix(".gz") != path.removesuffix(".gz"):
            raise LayoutUnknown(f"{other} and {path} both hold the {what} of split {split!r}; keep one of the two")
        found[what] = path
    if "train" not in pairs:
        raise LayoutUnknown(
            f"there are no training images: {what_is_there(files)}. "
            "Expected train-images-idx3-ubyte and train-labels-idx1-ubyte"
        )
    shapes, splits, class_count = set(), [], 0
    for name in SPLITS:
        pair = pairs.get(name)
        if pair is None:
            continue
        if len(pair) != 2:
            lacking = ({"images", "labels"} - set(pair)).pop()
            raise LayoutUnknown(f"split {name!r} has no file of {lacking} beside {next(iter(pair.values()))}")
        images = _read_header(pair["images"], files[pair["images"]], images=True)
        labels = _read_header(pair["labels"], files[pair["labels"]], images=False)
        if labels.count != images.count:
            raise DataUnreadable(
                pair["images"],
                f"has {images.count} images but {pair['labels']} {labels.count} labels",
                reason="COUNTS_DIFFER",
            )
        shapes.add(images.shape)
        splits.append(Split(name, images.count, (pair["images"], pair["labels"])))
        class_count = max(class_count, _highest(pair["labels"], files[pair["labels"]], labels) + 1)
    if len(shapes) != 1:
        raise DataUnreadable(
            splits[-1].files[0], f"has images of another size than the others: {sorted(shapes)}", reason="SHAPES_DIFFER"
        )
    return Description(
        modality="image",
        layout="idx",
        features=(
            Feature("image", "image", "uint8", shapes.pop(), encoding="raw"),
            Feature(
                "label", "category", "int64", role="target", classes=tuple(str(label) for label in range(class_count))
            ),
        ),
        splits=tuple(splits),
        split_rule=SplitRule("file"),
    )


def _read_header(path: str, file: File, *, images: bool) -> _Header:
    with open_bytes(path, file) as stream:
        header = _header(path, stream.read(_MAX_HEADER_BYTES), images=images)
    wanted = header.bytes + header.count * prod(header.shape)
    if not is_gzip(file) and file.size != wanted:
        raise DataUnreadable(path, f"has {file.size:,} bytes; its header asks for {wanted:,}", reason="IDX_UNREADABLE")
    return header


def _header(path: str, head: bytes, *, images: bool) -> _Header:
    ranks = (3, 4) if images else (1,)
    if len(head) < 8 or head[:3] != bytes([0, 0, _UINT8]) or head[3] not in ranks:
        wanted = " or ".join(f"0000{_UINT8:02x}{rank:02x}" for rank in ranks)
        found = f"begins with {head[:4].hex()}" if head else "is empty"
        raise DataUnreadable(path, f"{found}; an IDX file for this begins with {wanted}", reason="IDX_UNREADABLE")
    length = 4 + 4 * head[3]
    if len(head) < length:
        raise DataUnreadable(path, "ends inside its header", reason="IDX_UNREADABLE")
    count, *sizes = struct.unpack(f">{head[3]}I", head[4:length])
    shape = (*sizes, 1) if len(sizes) == 2 else tuple(sizes)
    if not all(shape) or (images and shape[2] not in (1, 3, 4)):
        raise DataUnreadable(path, f"has images of {_shown(shape)}; channels are 1, 3 or 4", reason="IDX_UNREADABLE")
    return _Header(length, count, shape)


def _highest(path: str, file: File, header: _Header) -> int:
    """The highest label; -1 where there is none."""
    highest, left = -1, header.count
    with open_bytes(path, file) as stream:
        stream.read(header.bytes)
        while left and (labels := stream.read(min(left, _CHUNK_BYTES))):
            highest = max(highest, *labels) if len(labels) > 1 else max(highest, labels[0])
            left -= len(labels)
    if left:
        raise DataUnreadable(
            path, f"has {header.count - left} labels; its header asks for {header.count}", reason="IDX_UNREADABLE"
        )
    return highest


def read(description: Description, files: Files) -> Iterator[Chunk]:
    """Raises DataUnreadable for wrong headers, sizes, shapes, counts and labels."""
    image = next((feature for feature in description.features if feature.kind == "image"), None)
    label = next((feature for feature in description.targets if feature.kind == "category"), None)
    if image is None or label is None or None in image.shape or len(image.shape) != 3:
        raise DescriptionWrong("features", "must have images of one shape and a label, for layout idx")
    for split in description.splits:
        if len(split.files) != 2:
            raise DescriptionWrong(f"splits.{split.name}.files", "must name a file of images and one of labels")
        yield from _read_split(split, image, label, files)


def _read_split(split: Split, image: Feature, label: Feature, files: Files) -> Iterator[Chunk]:
    import numpy as np

    images_path, labels_path = split.files
    images = _checked(images_path, files, split, image.shape)
    labels = _checked(labels_path, files, split, ())
    size = prod(images.shape)
    zipped = is_gzip(files[images_path])
    with (
        open_bytes(images_path, files[images_path]) as pixels,
        open_bytes(labels_path, files[labels_path]) as values,
    ):
        pixels.read(images.bytes)
        values.read(labels.bytes)
        most = max(1, min(ROWS, CHUNK_BYTES // size))
        for start in range(0, split.examples, most):
            rows = min(most, split.examples - start)
            found = np.frombuffer(_exactly(labels_path, values, rows), np.uint8)
            wrong = np.flatnonzero(found >= len(label.classes))
            if len(wrong):
                raise DataUnreadable(
                    labels_path,
                    f"has {found[wrong[0]]} as label {start + wrong[0]}; with {len(label.classes)} classes labels go "
                    f"from 0 to {len(label.classes) - 1}",
                )
            column: Column
            if zipped:
                column = np.frombuffer(_exactly(images_path, pixels, rows * size), np.uint8).reshape(
                    rows, *images.shape
                )
            else:
                first = images.bytes + start * size
                column = [Range(images_path, first + row * size, size) for row in range(rows)]
            yield Chunk(
                split.name,
                [f"{images_path}:{start + row + 1}" for row in range(rows)],
                {image.name: column, label.name: found.astype(np.int64)},
            )
        for path, stream, header in ((images_path, pixels, images), (labels_path, values, labels)):
            if (zipped or stream is values) and stream.read(1):
                wanted = header.bytes + split.examples * prod(header.shape)
                raise DataUnreadable(path, f"has more than the {wanted} bytes that its header asks for")


def _checked(path: str, files: Mapping[str, File], split: Split, shape: tuple[int | None, ...]) -> _Header:
    if path not in files:
        raise DataUnreadable(path, "is named by the description, but the tree does not have it")
    file = files[path]
    header = _read_header(path, file, images=bool(shape))
    if header.count != split.examples:
        raise DataUnreadable(path, f"holds {header.count} examples; the description claims {split.examples}")
    if header.shape != shape:
        raise DataUnreadable(path, f"has images of {_shown(header.shape)}; the description claims {_shown(shape)}")
    return header


def _exactly(path: str, stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) != length:
        raise DataUnreadable(path, "ends before what its header asks for", reason="IDX_UNREADABLE")
    return data


def _shown(lengths: tuple[int | None, ...]) -> str:
    return " × ".join(map(str, lengths))
