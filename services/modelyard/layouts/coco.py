"""Layout coco: images, and JSON files that say which boxes are on them, in the format of the COCO sets.

{"images": [{"id", "file_name", "width", "height"}], "annotations": [{"image_id", "bbox": [x, y, width, height],
"category_id"}], "categories": [{"id", "name"}]}. Boxes around crowds (`iscrowd`) and outlines are left out. A box that
reaches beyond its image is cut to it.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.layouts import media
from modelyard.layouts.chunks import Chunk, Problems, in_portions
from modelyard.layouts.class_folders import check_shape
from modelyard.layouts.coco_annotations import Annotations, Id, read_annotations
from modelyard.layouts.description import SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, LayoutUnknown
from modelyard.layouts.file_columns import MediaFiles, place_of_files
from modelyard.layouts.files import Files, Range
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.lines import splits_of_files
from modelyard.layouts.names import suffix
from modelyard.layouts.options import Findings, Options
from modelyard.layouts.parsing import is_showable
from modelyard.layouts.splitting import HELD_OUT, hash_split

_SAMPLE = 50
_HEAD_BYTES = 1 << 16
_KEYS = (b'"images"', b'"annotations"', b'"categories"', b'"info"')


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
    refusal: DataUnreadable | None = None
    shape: tuple[int | None, ...] | None = None
    for path, split in by_file.items():
        boxes = read_annotations(path, files, findings.problems)
        names |= dict.fromkeys(boxes.categories[key] for key in sorted(boxes.categories, key=_order))
        rows += boxes.seen["images"] - len(boxes.repeated)
        for image in _usable(boxes, files):
            counts[split or hash_split(image.path, rule.held_out)] += 1
            encodings[image.encoding] += 1
            shape = image.shape if shape is None else media.merged(shape, image.shape)
        refusal = refusal or _refusal(boxes)
    _check(paths, names, counts, rows, findings.problems)
    if refusal is not None:
        raise refusal
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
    why = f": {problems.kept[0]}" if problems.kept else ""
    if not names:
        raise DataUnreadable(paths[0], f"has no categories{why}", reason="NO_CLASSES")
    odd = next((name for name in names if not name or not is_showable(name)), None)
    if odd is not None:
        raise DataUnreadable(paths[0], f"has a category called {odd!r}, which can't be printed", reason="NO_CLASSES")
    if 2 * counts.total() <= rows:
        raise DataUnreadable(
            paths[0], f"names {rows:,} images, of which {counts.total():,} can be used{why}", reason="FILES_MISSING"
        )
    if not counts["train"]:
        raise LayoutUnknown("no image belongs to the split 'train'", reason="NO_TRAINING_EXAMPLES")


def _refusal(boxes: Annotations) -> DataUnreadable | None:
    """Some boxes that can't be used are left out; where it is half of them, something else is wrong."""
    if not boxes.unusable or 2 * boxes.unusable < boxes.boxes:
        return None
    return DataUnreadable(
        boxes.path,
        f"has {boxes.boxes:,} boxes, of which {boxes.unusable:,} can't be used: {boxes.first_unusable}; "
        "correct these annotations, or remove them",
        reason="ROWS_UNUSABLE",
    )


def _order(key: Id) -> tuple[bool, Id]:
    """Whole numbers by size, then texts by letter."""
    return isinstance(key, str), key


@dataclass(frozen=True, slots=True)
class _Image:
    """One that can be read."""

    path: str
    encoding: str
    shape: tuple[int | None, ...]
    places: list[int]
    """Of its boxes among those of the file."""


def _usable(boxes: Annotations, files: Files) -> Iterator[_Image]:
    """The images that can be read, in the order of their ids; their boxes are cut to what lies on them."""
    names = list(boxes.images.values())
    place = place_of_files(boxes.path, names[:_SAMPLE], MediaFiles.among(files), files)
    if place is None:
        first = f": {boxes.problems.kept[0]}" if boxes.problems.kept else ""
        said = f"names images such as {names[0]!r}, which are not in the folder" if names else f"has no image{first}"
        raise DataUnreadable(boxes.path, said, reason="FILES_MISSING")
    for key in sorted(boxes.images, key=_order):
        image = place.find(boxes.path, boxes.images[key], files)
        if image not in files:
            boxes.problems.add(boxes.path, 0, f"there is no file {image}")
            continue
        try:
            encoding, shape = media.look("image", files[image])
        except UnusableError as problem:
            boxes.problems.add(image, 0, str(problem))
            continue
        inside = [at for at in boxes.places.get(key, ()) if _cut(image, boxes, at, shape)]
        yield _Image(image, encoding, shape, inside)


def _cut(image: str, boxes: Annotations, at: int, shape: tuple[int | None, ...]) -> bool:
    """Make a box end where its image does; answers whether anything is left."""
    height, width = shape[:2]
    if height is None or width is None:
        return True
    left, top, right, bottom = boxes.edges[4 * at : 4 * at + 4]
    cut = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        box = ", ".join(f"{edge:g}" for edge in (left, top, right - left, bottom - top))
        boxes.refuse(boxes.numbers[at], f"lies outside of {image} ({width} × {height} pixels): [{box}]")
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
        found = read_annotations(path, files, problems)
        unclaimed = next((name for name in found.categories.values() if name not in classes), None)
        if unclaimed is not None:
            raise DataUnreadable(path, f"has the category {unclaimed!r}, which the description does not claim")
        label_of = {key: classes[name] for key, name in found.categories.items()}
        numbers = np.array([label_of.get(key, -1) for key in found.category_ids], np.int64)
        for each in _usable(found, files):
            check_shape(each.path, each.shape, image)
            mine = np.array(each.places, np.int64)
            # A view of what the images before it have cut.
            edges = np.asarray(found.edges, np.float32).reshape(-1, 4)[mine]
            yield (
                split or hash_split(each.path, description.split_rule.held_out),
                _Example(each.path, edges, numbers[mine]),
            )
