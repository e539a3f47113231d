"""Layout coco: images, and JSON files that say which boxes are on them, in the format of the COCO sets.

{"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id", "bbox": [x, y, width, height],
"category_id"}], "categories": [{"id", "name"}]}. Boxes around crowds (`iscrowd`) and outlines are left out. A box that
reaches beyond its image is cut to it.
"""

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard.layouts import media
from modelyard.layouts.chunks import Chunk, Problems, in_portions
from modelyard.layouts.class_folders import check_shape
from modelyard.layouts.description import SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, LayoutUnknown
from modelyard.layouts.file_columns import MediaFiles, place_of_files
from modelyard.layouts.files import Files, Range
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.json_stream import JsonDamagedError, json_lists
from modelyard.layouts.lines import splits_of_files
from modelyard.layouts.names import suffix
from modelyard.layouts.options import Findings, Options
from modelyard.layouts.parsing import is_showable
from modelyard.layouts.splitting import HELD_OUT, hash_split
from modelyard.layouts.text_files import open_bytes

_SAMPLE = 50
_HEAD_BYTES = 1 << 16
_KEYS = (b'"images"', b'"annotations"', b'"categories"', b'"info"')


@dataclass
class _Boxes:
    """What one file of boxes says."""

    images: dict[int, str] = field(default_factory=dict)
    """By its id, the image's name."""
    categories: dict[int, str] = field(default_factory=dict)
    image_ids: "array[int]" = field(default_factory=lambda: array("q"))
    category_ids: "array[int]" = field(default_factory=lambda: array("q"))
    numbers: "array[int]" = field(default_factory=lambda: array("q"))
    """As which of the file's annotations each comes, counted from 1."""
    edges: "array[float]" = field(default_factory=lambda: array("f"))
    """Four a box: x_min, y_min, x_max, y_max."""


def box_files(files: Files) -> list[str]:
    """The JSON files that begin as COCO's do, where there are images."""
    if not any(media.is_kind("image", path) for path in files):
        return []
    found = [path for path in sorted(files) if suffix(path) == ".json" and path.count("/") <= 1]
    return [path for path in found if _looks_like_boxes(files[path].read(0, _HEAD_BYTES))]


def _looks_like_boxes(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and any(key in head for key in _KEYS)


def describe(files: Files, options: Options, findings: Findings) -> Description:
    """Raises LayoutUnknown and DataUnreadable."""
    paths = box_files(files)
    if not paths:
        raise LayoutUnknown('there is no JSON file with "images", "annotations" and "categories" beside images')
    by_file = splits_of_files(paths)
    rule = SplitRule("file") if any(by_file.values()) else SplitRule("hash", held_out=HELD_OUT)
    counts: Counter[str] = Counter()
    encodings: Counter[str] = Counter()
    names: dict[str, None] = {}
    rows = 0
    shape: tuple[int | None, ...] | None = None
    for path, split in by_file.items():
        boxes = _read_boxes(path, files, findings.problems)
        names |= dict.fromkeys(name for _, name in sorted(boxes.categories.items()))
        rows += len(boxes.images)
        for image in _usable(path, boxes, files, findings.problems):
            counts[split or hash_split(image.path, rule.held_out)] += 1
            encodings[image.encoding] += 1
            shape = image.shape if shape is None else media.merged(shape, image.shape)
    _check(paths, names, counts, rows, findings.problems)
    return Description(
        modality="image",
        layout="coco",
        features=(
            Feature("image", "image", "uint8", shape or (None, None, None), encoding=encodings.most_common(1)[0][0]),
            Feature("boxes", "boxes", "float32", (None, 4), role="target"),
            Feature("labels", "category", "int64", (None,), role="target", classes=tuple(names)),
        ),
        splits=tuple(Split(name, counts[name]) for name in SPLITS if counts[name]),
        split_rule=rule,
        files=by_file,
    )


def _check(
    paths: Sequence[str], names: Mapping[str, None], counts: Counter[str], rows: int, problems: Problems
) -> None:
    if not names:
        raise DataUnreadable(paths[0], "has no categories", reason="NO_CLASSES")
    odd = next((name for name in names if not name or not is_showable(name)), None)
    if odd is not None:
        raise DataUnreadable(paths[0], f"has a category called {odd!r}, which can't be printed", reason="NO_CLASSES")
    if 2 * counts.total() <= rows:
        why = f": {problems.kept[0]}" if problems.kept else ""
        raise DataUnreadable(
            paths[0], f"names {rows:,} images, of which {counts.total():,} can be used{why}", reason="FILES_MISSING"
        )
    if not counts["train"]:
        raise LayoutUnknown("no image belongs to the split 'train'", reason="NO_TRAINING_EXAMPLES")


def _read_boxes(path: str, files: Files, problems: Problems) -> _Boxes:
    boxes = _Boxes()
    kinds: Counter[str] = Counter()
    try:
        with open_bytes(path, files[path]) as stream:
            for key, element in json_lists(stream):
                kinds[key] += 1
                if not isinstance(element, dict):
                    continue
                if key == "images":
                    _add_image(path, boxes, element, kinds[key], problems)
                elif key == "categories":
                    boxes.categories[_id(element.get("id"))] = str(element.get("name", ""))
                elif key == "annotations":
                    _add_box(path, boxes, element, kinds[key], problems)
    except JsonDamagedError as error:
        raise DataUnreadable(path, str(error), reason="JSON_DAMAGED") from None
    for key in ("images", "categories"):
        if not kinds[key]:
            raise DataUnreadable(path, f"has no {key!r}; it has {', '.join(kinds) or 'nothing'}")
    for number, image, category in zip(boxes.numbers, boxes.image_ids, boxes.category_ids, strict=True):
        if image not in boxes.images:
            problems.add(path, 0, f"annotation {number} is of image {image}, which there is not")
        elif category not in boxes.categories:
            problems.add(path, 0, f"annotation {number} has the category {category}, which there is not")
    return boxes


def _id(value: object) -> int:
    return value if type(value) is int and -(1 << 62) < value < 1 << 62 else -1


def _add_image(path: str, boxes: _Boxes, element: Mapping[str, Any], number: int, problems: Problems) -> None:
    name = element.get("file_name")
    key = _id(element.get("id"))
    if not isinstance(name, str) or not name:
        problems.add(path, 0, f"image {number} has no file_name")
    elif key in boxes.images:
        problems.add(path, 0, f"image {number} ({name}) has the id {key} of {boxes.images[key]}")
    else:
        boxes.images[key] = name


def _add_box(path: str, boxes: _Boxes, element: Mapping[str, Any], number: int, problems: Problems) -> None:
    if element.get("iscrowd"):
        return
    box = element.get("bbox")
    edges = [float(edge) for edge in box if type(edge) in (int, float)] if isinstance(box, list) else []
    if len(edges) != 4 or len(box or ()) != 4 or not all(map(math.isfinite, edges)) or min(edges[2:]) <= 0:
        problems.add(path, 0, f"annotation {number} has no box but {box!r:.60}; a box is [x, y, width, height]")
        return
    x, y, width, height = edges
    if not all(abs(edge) < 1e9 for edge in (x, y, width, height)):
        problems.add(path, 0, f"annotation {number} has a box far out: {box}")
        return
    boxes.image_ids.append(_id(element.get("image_id")))
    boxes.category_ids.append(_id(element.get("category_id")))
    boxes.numbers.append(number)
    boxes.edges.extend((x, y, x + width, y + height))


@dataclass(frozen=True, slots=True)
class _Image:
    """One that can be read."""

    path: str
    encoding: str
    shape: tuple[int | None, ...]
    places: list[int]
    """Of its boxes among those of the file."""


def _usable(path: str, boxes: _Boxes, files: Files, problems: Problems) -> Iterator[_Image]:
    """The images that can be read, in the order of their ids; their boxes are cut to what lies on them."""
    place = place_of_files(path, list(boxes.images.values())[:_SAMPLE], MediaFiles.among(files), files)
    if place is None:
        some = next(iter(boxes.images.values()), "")
        raise DataUnreadable(
            path, f"names images such as {some!r}, which are not in the folder", reason="FILES_MISSING"
        )
    places: defaultdict[int, list[int]] = defaultdict(list)
    for at, key in enumerate(boxes.image_ids):
        places[key].append(at)
    for key in sorted(boxes.images):
        image = place.path(path, boxes.images[key])
        if image not in files:
            problems.add(path, 0, f"there is no file {image}")
            continue
        try:
            encoding, shape = media.look("image", files[image])
        except UnusableError as problem:
            problems.add(image, 0, str(problem))
            continue
        inside = [at for at in places[key] if _cut(path, image, boxes, at, shape, problems)]
        yield _Image(image, encoding, shape, inside)


def _cut(path: str, image: str, boxes: _Boxes, at: int, shape: tuple[int | None, ...], problems: Problems) -> bool:
    """Make a box end where its image does; answers whether anything is left."""
    height, width = shape[:2]
    if height is None or width is None:
        return True
    left, top, right, bottom = boxes.edges[4 * at : 4 * at + 4]
    cut = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        box = ", ".join(f"{edge:g}" for edge in (left, top, right - left, bottom - top))
        problems.add(
            path, 0, f"annotation {boxes.numbers[at]} lies outside of {image} ({width} × {height} pixels): [{box}]"
        )
        return False
    boxes.edges[4 * at : 4 * at + 4] = array("f", cut)
    return True


@dataclass(frozen=True, slots=True)
class _Example:
    path: str
    boxes: Any
    labels: Any


def read(description: Description, files: Files, problems: Problems) -> Iterator[Chunk]:
    """Raises DataUnreadable."""
    import numpy as np

    image, boxes, labels = (
        next((feature for feature in description.features if feature.kind == kind), None)
        for kind in ("image", "boxes", "category")
    )
    if image is None or boxes is None or labels is None:
        raise DescriptionWrong("features", "must have an image, boxes and their labels, for layout coco")
    for split, examples in in_portions(_examples(description, files, image, labels, problems)):
        yield Chunk(
            split,
            [each.path for each in examples],
            {
                image.name: [Range(each.path, 0, files[each.path].size) for each in examples],
                boxes.name: [np.asarray(each.boxes, np.float32) for each in examples],
                labels.name: [np.asarray(each.labels, np.int64) for each in examples],
            },
        )


def _examples(
    description: Description, files: Files, image: Feature, labels: Feature, problems: Problems
) -> Iterator[tuple[str, _Example]]:
    import numpy as np

    classes = {name: number for number, name in enumerate(labels.classes)}
    for path, split in description.files.items():
        if path not in files:
            raise DataUnreadable(path, "is named by the description, but the tree does not have it")
        found = _read_boxes(path, files, problems)
        unclaimed = next((name for name in found.categories.values() if name not in classes), None)
        if unclaimed is not None:
            raise DataUnreadable(path, f"has the category {unclaimed!r}, which the description does not claim")
        label_of = {key: classes[name] for key, name in found.categories.items()}
        numbers = np.array([label_of.get(key, -1) for key in found.category_ids], np.int64)
        for each in _usable(path, found, files, problems):
            check_shape(each.path, each.shape, image)
            mine = np.array([at for at in each.places if numbers[at] >= 0], np.int64)
            # A view of what the images before it have cut.
            edges = np.asarray(found.edges, np.float32).reshape(-1, 4)[mine]
            yield (
                split or hash_split(each.path, description.split_rule.held_out),
                _Example(each.path, edges, numbers[mine]),
            )
