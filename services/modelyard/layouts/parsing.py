"""Reads descriptions, as data from strangers."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from modelyard.layouts.description import (
    DTYPES,
    FORMAT,
    KINDS,
    LAYOUTS,
    MAX_BYTES,
    MODALITIES,
    ROLES,
    SPLIT_RULES,
    SPLITS,
    TABLE_FORMATS,
    Description,
    Feature,
    Items,
    Split,
    SplitRule,
    Table,
)
from modelyard.layouts.errors import DescriptionWrong
from modelyard.layouts.strict_json import parse_strictly
from modelyard.tree import PathInvalid, validate_path

MAX_FEATURES = 4096
MAX_CLASSES = 100_000
MAX_FILES = 20_000
MAX_COUNT = 1 << 53
MAX_DIMENSIONS = 8
MAX_TEXT = 1024
_IDENTIFIER = re.compile(r"[a-z0-9_]{1,64}")
_TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
T = TypeVar("T")


def parse_description(data: bytes) -> Description:
    """A description of any format that this version knows. Raises DescriptionWrong, naming the field."""
    try:
        fields = parse_strictly(data, MAX_BYTES)
    except ValueError as error:
        raise DescriptionWrong("", str(error)) from None
    return from_json(fields)


def from_json(value: object) -> Description:
    """A description out of parsed JSON. Raises DescriptionWrong, naming the field."""
    fields = _object(value, "the file")
    version = fields.get("format")
    if type(version) is not int or version not in (1, FORMAT):
        raise DescriptionWrong(
            "format", f"is {_shown(version)}; this version of modelyard reads formats 1 and {FORMAT}"
        )
    return _first_format(fields) if version == 1 else _second_format(fields)


def _second_format(fields: Mapping[str, Any]) -> Description:
    rule = _object(fields.get("split_rule"), "split_rule")
    table, items, generated = fields.get("table"), fields.get("items"), fields.get("generated")
    return Description(
        modality=_one_of(fields.get("modality"), MODALITIES, "modality"),
        layout=_one_of(fields.get("layout"), LAYOUTS, "layout"),
        features=_features(fields.get("features"), "features"),
        splits=_splits(
            fields.get("splits"), lambda name, split: _files(split.get("files", []), f"splits.{name}.files")
        ),
        split_rule=SplitRule(
            _one_of(rule.get("by"), SPLIT_RULES, "split_rule.by"),
            _text(rule.get("column", ""), "split_rule.column", empty=True),
            _held_out(rule.get("held_out", {})),
        ),
        files=_file_splits(fields.get("files", {})),
        table=None if table is None else _table(table, "table"),
        items=None if items is None else _items(items),
        generated=None if generated is None else dict(_object(generated, "generated")),
    )


def _first_format(fields: Mapping[str, Any]) -> Description:
    """Images, their label, and the two layouts that there were."""
    layout = _one_of(fields.get("layout"), ("class_folders", "idx"), "layout")
    rules = {"hash-10": SplitRule("hash", held_out={"test": 10}), "folder": SplitRule("folder")}
    if layout == "idx":
        rule = SplitRule("file")
    else:
        rule = rules[_one_of(fields.get("split_rule"), tuple(rules), "split_rule")]
    found = {}
    for name in ("image", "label"):
        feature = _object(_object(fields.get("features"), "features").get(name), f"features.{name}")
        kind, role = ("image", "input") if name == "image" else ("category", "target")
        found[name] = _feature(name, {"shape": [], **feature, "kind": kind, "role": role}, f"features.{name}")
    return Description(
        modality=_one_of(fields.get("modality"), ("image",), "modality"),
        layout=layout,
        features=(found["image"], found["label"]),
        splits=_splits(
            fields.get("splits"),
            lambda name, split: tuple(
                _path(split.get(file), f"splits.{name}.{file}") for file in ("images", "labels") if layout == "idx"
            ),
        ),
        split_rule=rule,
    )


def features_of(value: object) -> tuple[Feature, ...]:
    """Features out of parsed JSON, by their names; the classes of a target may still be missing.

    Raises DescriptionWrong.
    """
    return _features(value, "features", open_classes=True)


def _features(value: object, at: str, *, open_classes: bool = False) -> tuple[Feature, ...]:
    features = _mapping(value, at, MAX_FEATURES)
    for name in features:
        if not _IDENTIFIER.fullmatch(name):
            raise DescriptionWrong(at, f"has {_shown(name)}; a feature's name is 1 to 64 of a-z, 0-9 and _")
    return tuple(_feature(name, entry, f"{at}.{name}", open_classes) for name, entry in features.items())


def _feature(name: str, value: object, at: str, open_classes: bool = False) -> Feature:
    fields = _object(value, at)
    kind = _one_of(fields.get("kind"), KINDS, f"{at}.kind")
    role = _one_of(fields.get("role", "input"), ROLES, f"{at}.role")
    dtype = _one_of(fields.get("dtype"), DTYPES, f"{at}.dtype")
    classes = _classes(fields.get("classes", []), f"{at}.classes")
    if kind == "category" and role == "target" and not classes and not open_classes:
        raise DescriptionWrong(f"{at}.classes", "must be a list of at least one name")
    return Feature(
        name=name,
        kind=kind,
        dtype=dtype,
        shape=_shape(fields.get("shape", []), f"{at}.shape"),
        role=role,
        encoding=_text(fields.get("encoding", ""), f"{at}.encoding", empty=True),
        classes=classes,
        column=_text(fields.get("column", ""), f"{at}.column", empty=True),
        folder=_text(fields.get("folder", ""), f"{at}.folder", empty=True),
        suffix=_text(fields.get("suffix", ""), f"{at}.suffix", empty=True),
    )


def _shape(value: object, at: str) -> tuple[int | None, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        raise DescriptionWrong(at, f"is {_shown(value)}; it must be a list of at most {MAX_DIMENSIONS}")
    return tuple(None if size is None else _count(size, at) for size in value)


def _classes(value: object, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_CLASSES:
        raise DescriptionWrong(at, f"must be a list of at most {MAX_CLASSES:,} names")
    for name in value:
        if not isinstance(name, str) or not name or len(name) > MAX_TEXT:
            raise DescriptionWrong(at, f"holds {_shown(name)}; a class has a name of 1 to {MAX_TEXT} characters")
        if not is_showable(name):
            raise DescriptionWrong(at, f"holds {_shown(name)}, which is not printable")
    if len(set(value)) != len(value):
        raise DescriptionWrong(at, "names a class twice")
    return tuple(value)


def is_showable(name: str) -> bool:
    """No line breaks and nothing that commands a terminal."""
    return name.isprintable() or not any(
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in _TURNS_TEXT for letter in name
    )


def _splits(value: object, files: Callable[[str, Mapping[str, Any]], tuple[str, ...]]) -> tuple[Split, ...]:
    splits = []
    for name, entry in _mapping(value, "splits", len(SPLITS)).items():
        if name not in SPLITS:
            raise DescriptionWrong(f"splits.{_plain(name)}", f"is unknown; splits are {', '.join(SPLITS)}")
        split = _object(entry, f"splits.{name}")
        splits.append(Split(name, _count(split.get("examples"), f"splits.{name}.examples"), files(name, split)))
    return tuple(splits)


def _held_out(value: object) -> dict[str, int]:
    held_out = _object(value, "split_rule.held_out")
    for name, percent in held_out.items():
        if name not in SPLITS[1:] or type(percent) is not int or not 0 <= percent < 100:
            raise DescriptionWrong(
                "split_rule.held_out", f"has {_shown(name)}: {_shown(percent)}; it gives test and validation percents"
            )
    if sum(held_out.values()) >= 100:
        raise DescriptionWrong("split_rule.held_out", "leaves nothing to train on")
    return dict(held_out)


def _file_splits(value: object) -> dict[str, str]:
    files = _object(value, "files")
    if len(files) > MAX_FILES:
        raise DescriptionWrong("files", f"has {len(files):,} entries, more than {MAX_FILES:,}")
    return {
        _path(path, "files"): _one_of(split, ("", *SPLITS), f"files.{_plain(path)}") for path, split in files.items()
    }


def _table(value: object, at: str) -> Table:
    fields = _object(value, at)
    for flag in ("header", "quoted"):
        if not isinstance(fields.get(flag, True), bool):
            raise DescriptionWrong(f"{at}.{flag}", f"is {_shown(fields[flag])}; it must be true or false")
    table = Table(
        _one_of(fields.get("format"), TABLE_FORMATS, f"{at}.format"),
        _text(fields.get("delimiter", ""), f"{at}.delimiter", empty=True),
        _text(fields.get("encoding", "utf-8"), f"{at}.encoding"),
        fields.get("header", True),
        fields.get("quoted", True),
    )
    if table.format == "csv" and table.delimiter not in (",", ";", "\t", "|"):
        raise DescriptionWrong(f"{at}.delimiter", f"is {_shown(table.delimiter)}; it must be one of , ; tab and |")
    return table


def _items(value: object) -> Items:
    fields = _object(value, "items")
    return Items(
        _path(fields.get("file"), "items.file"),
        _text(fields.get("key"), "items.key"),
        _features(fields.get("features"), "items.features"),
        _table(fields.get("table", {"format": "csv", "delimiter": ","}), "items.table"),
    )


def _files(value: object, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        raise DescriptionWrong(at, f"must be a list of at most {MAX_DIMENSIONS} files")
    return tuple(_path(path, at) for path in value)


def _path(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise DescriptionWrong(at, "must name a file of the tree")
    try:
        validate_path(value)
    except PathInvalid:
        raise DescriptionWrong(at, f"has {_shown(value)}; it must name a file of the tree") from None
    return value


def _object(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise DescriptionWrong(at, "is missing or not an object")
    return value


def _mapping(value: object, at: str, most: int) -> Mapping[str, Any]:
    entries = _object(value, at)
    if not 1 <= len(entries) <= most:
        raise DescriptionWrong(at, f"has {len(entries):,} entries; it must have 1 to {most:,}")
    return entries


def _text(value: object, at: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not (value or empty):
        raise DescriptionWrong(at, f"is {_shown(value)}, not a text of 1 to {MAX_TEXT} characters")
    return value


def _count(value: object, at: str) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise DescriptionWrong(at, f"is {_shown(value)}, which is not a count")
    return value


def _one_of(value: object, known: tuple[str, ...], at: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise DescriptionWrong(
            at, f"is {_shown(value)}; it must be one of {', '.join(name or repr('') for name in known)}"
        )
    return value


def _shown(value: object) -> str:
    return ascii(value)[:80]


def _plain(name: object) -> str:
    return _shown(name)[1:-1]
