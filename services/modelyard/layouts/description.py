"""A dataset's own description, the file `modelyard.dataset.json` of its tree: what whoever pushed it says is in it.

{"format": 2, "modality": "table", "layout": "table",
 "features": {"age": {"kind": "number", "dtype": "float32", "shape": [], "role": "input", "column": "Age"},
              "salary": {"kind": "category", "dtype": "int64", "shape": [], "role": "target", "classes": ["<=50K", …]}},
 "split_rule": {"by": "hash", "held_out": {"test": 10}},
 "splits": {"train": {"examples": 900}, "test": {"examples": 100}},
 "files": {"adult.csv": ""},
 "table": {"format": "csv", "delimiter": ",", "encoding": "utf-8", "header": true}}

Format 1 (images in class folders or IDX files) is read into the same Description. `modelyard.layouts.parsing` reads,
`modelyard.layouts.encoding` writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DESCRIPTION_FILE = "modelyard.dataset.json"
FORMAT = 2
MAX_BYTES = 3 << 20
"""As much as the catalog reads of one: it fits into one message."""

MODALITIES = ("image", "text", "audio", "video", "table", "interactions")
LAYOUTS = ("class_folders", "idx", "table", "lines", "parallel", "coco", "tfrecord")
KINDS = ("image", "audio", "video", "text", "category", "number", "boxes", "id", "time")
DTYPES = ("string", "uint8", "float32", "int64")
ROLES = ("input", "target", "group", "user", "item", "rating", "time", "ignore")
SPLITS = ("train", "validation", "test")
SPLIT_RULES = ("folder", "file", "split_column", "column", "hash")
TABLE_FORMATS = ("csv", "jsonl", "parquet")
MEDIA = ("image", "audio", "video")


@dataclass(frozen=True, slots=True)
class Feature:
    """One part of every example."""

    name: str
    """`[a-z0-9_]`, at most 64."""
    kind: str
    dtype: str
    """What is stored: "string" is bytes, an encoded file or a text in UTF-8. A category is a "string" as an input, and
    an "int64" index into `classes` as a target. Time is "int64", seconds since 1970, -2**63 where missing."""
    shape: tuple[int | None, ...] = ()
    """None where examples differ. Of an image: height, width, channels, as it decodes."""
    role: str = "input"
    encoding: str = ""
    """How most of the files are encoded: "raw", "png", "jpeg", "wav", "mp4", …"""
    classes: tuple[str, ...] = ()
    column: str = ""
    """What the table calls it, where that is not `name`."""
    folder: str = ""
    """Where the files lie that a column of kind image, audio or video names: `images/`."""
    suffix: str = ""
    """What such a column leaves out of the files' names: `.wav`."""

    @property
    def header(self) -> str:
        """What the table calls it."""
        return self.column or self.name


@dataclass(frozen=True, slots=True)
class Split:
    """One part of a dataset."""

    name: str
    examples: int
    files: tuple[str, ...] = ()
    """Layout idx: the file of images and the one of labels. Layout parallel: source and target."""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How it is known which split an example belongs to; `modelyard.layouts.splitting` applies it."""

    by: str
    """folder: the first folder of its path · file: its file's entry in `files`, or in its split ·
    split_column: `column` holds the split's name · column: the hash of `column`'s value ·
    hash: the hash of its path, or of its row."""
    column: str = ""
    """The column's header."""
    held_out: Mapping[str, int] = field(default_factory=dict)
    """Percent of the examples that each split but `train` takes, where a hash decides."""


@dataclass(frozen=True, slots=True)
class Table:
    """How rows are written down."""

    format: str
    delimiter: str = ""
    """Of CSV."""
    encoding: str = "utf-8"
    header: bool = True
    quoted: bool = True
    """CSV: a field may stand between quotes, and then hold delimiters and line breaks."""


@dataclass(frozen=True, slots=True)
class Items:
    """Interactions: the table that describes the items."""

    file: str
    key: str
    """The column that holds what the feature of role `item` holds."""
    features: tuple[Feature, ...] = ()
    table: Table = field(default_factory=lambda: Table("csv", ","))


@dataclass(frozen=True, slots=True)
class Description:
    """What is claimed; readers verify it."""

    modality: str
    layout: str
    features: tuple[Feature, ...]
    splits: tuple[Split, ...]
    split_rule: SplitRule
    files: Mapping[str, str] = field(default_factory=dict)
    """The files that hold examples, each with its split, or "" where the rule tells them apart by row. Empty where the
    files themselves are the examples. Layout coco: the files of boxes."""
    table: Table | None = None
    items: Items | None = None
    generated: Mapping[str, Any] | None = None
    """What made it, {"by": "modelyard gallery", "seed": 1}; None for data that was collected."""

    def feature(self, name: str) -> Feature:
        """Raises KeyError."""
        for feature in self.features:
            if feature.name == name:
                return feature
        raise KeyError(name)

    def of_role(self, role: str) -> tuple[Feature, ...]:
        """The features with this role, in their order."""
        return tuple(feature for feature in self.features if feature.role == role)

    @property
    def inputs(self) -> tuple[Feature, ...]:
        """What a model may look at."""
        return self.of_role("input")

    @property
    def targets(self) -> tuple[Feature, ...]:
        """What a model should answer."""
        return self.of_role("target")

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the only target that is a category; () where there is none."""
        found = [feature.classes for feature in self.targets if feature.kind == "category"]
        return found[0] if len(found) == 1 else ()

    @property
    def examples(self) -> Mapping[str, int]:
        """How many there are of each split."""
        return {split.name: split.examples for split in self.splits}
