"""Layout tfrecord: files of tf.train.Example messages, with a file that says what their features are.

features.json, beside the records or given with `--features`, by the records' keys:

{"image": {"kind": "image"}, "label": {"kind": "category", "role": "target", "classes": ["cat", "dog"]},
 "size": {"kind": "number", "shape": [3]}, "words": {"kind": "number", "dtype": "int64", "shape": [null]}}

A category is a whole number, its place among the classes, or a class's name. Classes that the file does not name are
collected: of numbers all from 0 to the largest, of names those that there are. With a shape it is whole numbers; they
are numbers in the dataset too where it says "dtype": "int64", as targets do by themselves, else bytes of float32.

A number that a record lacks is NaN. Whole numbers ("dtype": "int64") have no such value, and are float32 where some are
missing.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from modelyard.layouts.chunks import MISSING_TIME, Chunk, Column, Problems, in_portions
from modelyard.layouts.description import MEDIA, SPLITS, Description, Feature, Split, SplitRule
from modelyard.layouts.errors import DataUnreadable, DescriptionWrong, LayoutUnknown
from modelyard.layouts.example_values import BadRecordError, parse_record, utf_8, value_of
from modelyard.layouts.files import Files
from modelyard.layouts.lines import splits_of_files
from modelyard.layouts.names import feature_names, is_tfrecord
from modelyard.layouts.options import Findings, Options
from modelyard.layouts.parsing import MAX_CLASSES, features_of, is_showable
from modelyard.layouts.records import records
from modelyard.layouts.splitting import HELD_OUT, hash_split
from modelyard.layouts.strict_json import parse_strictly
from modelyard.layouts.table_plan import TARGETS
from modelyard.layouts.tfrecord_suggestion import suggestion

SPEC_FILE = "features.json"
_MAX_SPEC_BYTES = 1 << 20
_DTYPES = {"number": "float32", "time": "int64", "image": "uint8"}


def describe(files: Files, options: Options, findings: Findings) -> Description:
    """Raises LayoutUnknown (without a spec it says what the first records suggest) and DataUnreadable."""
    paths = [path for path in sorted(files) if is_tfrecord(path) and not path.startswith(".")]
    if not paths:
        raise LayoutUnknown("there is no file whose name ends in .tfrecord", reason="NO_EXAMPLES")
    spec = options.features or _spec_beside(files)
    if spec is None:
        raise LayoutUnknown(
            f"TFRecord files do not say what they hold; write it to {SPEC_FILE} beside them, or give it with "
            f"--features. The first records suggest: {json.dumps(suggestion(paths, files), ensure_ascii=False)}",
            reason="FEATURES_MISSING",
        )
    by_file = splits_of_files(paths)
    rule = SplitRule("file") if any(by_file.values()) else SplitRule("hash", held_out=HELD_OUT)
    features = _features(spec, options)
    open_classes: dict[str, set[int | str]] = {each.name: set() for each in features if _is_open(each)}
    whole = [each.name for each in features if (each.kind, each.dtype, each.shape) == ("number", "int64", ())]
    counts: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for split, _, values in _examples(by_file, rule, features, files, findings.problems):
        counts[split] += 1
        missing.update(name for name in whole if values[name] is None)
        for name, found in open_classes.items():
            if values[name] != b"":
                found.add(values[name] if isinstance(values[name], int) else utf_8(values[name]))
            if len(found) > MAX_CLASSES:
                raise LayoutUnknown(f"{name} has more than {MAX_CLASSES:,} different values", reason="TOO_MANY_CLASSES")
    _check(paths, counts, findings.problems)
    findings.notes.extend(
        f"{name} is said to be a whole number, and {count:,} records have none; it is float32, where these are NaN"
        for name, count in missing.items()
    )
    closed = tuple(
        _closed(each, open_classes[each.name])
        if _is_open(each)
        else replace(each, dtype="float32" if missing[each.name] else each.dtype)
        for each in features
    )
    return Description(
        modality=_modality(closed, options),
        layout="tfrecord",
        features=closed,
        splits=tuple(Split(name, counts[name]) for name in SPLITS if counts[name]),
        split_rule=rule,
        files=by_file,
    )


def _check(paths: Sequence[str], counts: Counter[str], problems: Problems) -> None:
    if problems.count and problems.count >= counts.total():
        first = problems.kept[0]
        raise DataUnreadable(
            f"{first.path}:{first.row}",
            f"{first.reason} ({problems.count:,} of {counts.total() + problems.count:,} records can't be used)",
            reason="ROWS_UNUSABLE",
        )
    if not counts.total():
        raise DataUnreadable(paths[0], "has no records", reason="EMPTY")
    if not counts["train"]:
        raise LayoutUnknown("no record belongs to the split 'train'", reason="NO_TRAINING_EXAMPLES")


def _spec_beside(files: Files) -> Mapping[str, Mapping[str, Any]] | None:
    file = files.get(SPEC_FILE)
    return None if file is None else read_spec(SPEC_FILE, file.read(0, _MAX_SPEC_BYTES + 1))


def read_spec(path: str, data: bytes) -> Mapping[str, Mapping[str, Any]]:
    """What a file of `--features` says, by key or column. Raises DataUnreadable."""
    try:
        spec = parse_strictly(data, _MAX_SPEC_BYTES)
    except ValueError as error:
        raise DataUnreadable(path, f"can't be read: {error}", reason="FEATURES_WRONG") from None
    if not isinstance(spec, dict) or not spec or not all(isinstance(each, dict) for each in spec.values()):
        raise DataUnreadable(
            path, 'is no object of objects; it looks like {"image": {"kind": "image"}}', reason="FEATURES_WRONG"
        )
    return spec


def _features(spec: Mapping[str, Mapping[str, Any]], options: Options) -> tuple[Feature, ...]:
    """The spec's features with what they leave out. Raises LayoutUnknown."""
    if options.target and options.target not in spec:
        raise LayoutUnknown(
            f"--target {options.target!r}: there is no such feature; there are {', '.join(list(spec)[:20])}",
            reason="NO_SUCH_COLUMN",
        )
    target = options.target or next((name for name in TARGETS if name in spec), "")
    fields: dict[str, dict[str, Any]] = {}
    for name, (key, given) in zip(feature_names(spec), spec.items(), strict=True):
        kind = given.get("kind", "number")
        role = given.get("role", "target" if key == target else "input")
        known = {"kind": kind, "role": role, "shape": [None, None, None] if kind == "image" else []}
        known["dtype"] = "int64" if kind == "category" and role == "target" else _DTYPES.get(kind, "string")
        fields[name] = {**known, **given, "column": key if key != name else ""}
    try:
        features = features_of(fields)
    except DescriptionWrong as error:
        raise LayoutUnknown(f"--features: {error.message}", reason="FEATURES_WRONG") from None
    odd = next((each for each in features if each.kind == "category" and each.dtype not in ("int64", "string")), None)
    if odd is not None:
        raise LayoutUnknown(
            f'--features: {odd.name} is a category of {odd.dtype}; its dtype is "int64" or "string"',
            reason="FEATURES_WRONG",
        )
    for each in features:
        if problem := _problem_of_shape(each):
            raise LayoutUnknown(f"--features: {each.name} {problem}", reason="FEATURES_WRONG")
    return features


def _problem_of_shape(feature: Feature) -> str:
    """Why lists of numbers can't have this shape; "" where they can."""
    if feature.kind in MEDIA or (0 not in feature.shape and feature.shape.count(None) < 2):
        return ""
    return f"has the shape {json.dumps(feature.shape)}; at most one size is null, and none is 0"


def _is_open(feature: Feature) -> bool:
    """Whether its classes are still to be collected."""
    return feature.kind == "category" and not feature.classes and feature.shape == ()


def _closed(feature: Feature, found: set[int | str]) -> Feature:
    classes = _classes(feature, found)
    if feature.role == "target" and len(classes) < 2:
        raise LayoutUnknown(f"{feature.name}, the target, has one class only: {', '.join(classes)}", reason="ONE_CLASS")
    odd = next((name for name in classes if not name or not is_showable(name)), None)
    if odd is not None or len(classes) > MAX_CLASSES:
        raise LayoutUnknown(f"{feature.name} has {odd!r} or too many values for a category", reason="FEATURES_WRONG")
    return Feature(
        feature.name,
        feature.kind,
        feature.dtype,
        feature.shape,
        feature.role,
        classes=tuple(classes),
        column=feature.column,
    )


def _classes(feature: Feature, found: set[int | str]) -> list[str]:
    """Numbers are places among the classes, so none between them may lack; names that are numbers go by their size."""
    numbers = {value for value in found if isinstance(value, int)}
    names = {value for value in found if isinstance(value, str)}
    if numbers and names:
        raise LayoutUnknown(
            f"{feature.name} is a number such as {min(numbers)} in some records and a text such as {min(names)!r} in "
            'others; write one of the two, or say with --features what its "classes" are',
            reason="FEATURES_WRONG",
        )
    if numbers:
        return [str(number) for number in range(max(numbers) + 1)]
    by_size = all(name.isdecimal() for name in names)
    return sorted(names, key=lambda name: (int(name) if by_size else 0, name))


def _modality(features: Sequence[Feature], options: Options) -> str:
    kinds = [feature.kind for feature in features if feature.role == "input"]
    roles = {feature.role for feature in features}
    if {"user", "item"} <= roles:
        return "interactions"
    return next(
        (kind for kind in MEDIA if kind in kinds),
        options.modality
        if options.modality in ("text", "table")
        else ("text" if kinds and set(kinds) == {"text"} else "table"),
    )


def _examples(
    by_file: Mapping[str, str], rule: SplitRule, features: Sequence[Feature], files: Files, problems: Problems
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Split, origin and values by feature of each record that can be used."""
    from google.protobuf.message import DecodeError

    for path, split in by_file.items():
        if path not in files:
            raise DataUnreadable(path, "is named by the description, but the tree does not have it")
        for number, record in records(path, files[path], problems):
            try:
                found = parse_record(record)
                values = {each.name: value_of(each, found.get(each.header)) for each in features}
            except DecodeError:
                problems.add(path, number, "is no tf.train.Example")
            except BadRecordError as problem:
                problems.add(path, number, str(problem))
            else:
                yield split or hash_split(record, rule.held_out), f"{path}:{number}", values


def read(description: Description, files: Files, problems: Problems) -> Iterator[Chunk]:
    """Raises DataUnreadable, and DescriptionWrong for shapes that there can't be."""
    for each in description.features:
        if problem := _problem_of_shape(each):
            raise DescriptionWrong(f"features.{each.name}", problem)
    found = _examples(description.files, description.split_rule, description.features, files, problems)
    placed = ((split, (origin, values)) for split, origin, values in found)
    for split, rows in in_portions(placed, lambda row: sum(map(_weight, row[1].values()))):
        yield Chunk(
            split,
            [origin for origin, _ in rows],
            {each.name: _column(each, [values[each.name] for _, values in rows]) for each in description.features},
        )


def _weight(value: Any) -> int:
    return len(value) if isinstance(value, bytes | list) else 8


def _column(feature: Feature, found: list[Any]) -> Column:
    import numpy as np

    if feature.kind == "category" and not feature.shape:
        if feature.dtype == "int64":
            numbers = {name: number for number, name in enumerate(feature.classes)}
            return np.array(
                [value if isinstance(value, int) else numbers.get(utf_8(value), -1) for value in found], np.int64
            )
        return [str(feature.classes[value]).encode() if isinstance(value, int) else value for value in found]
    if feature.kind in MEDIA and feature.encoding == "raw":
        shape = [size or 0 for size in feature.shape]
        return np.frombuffer(b"".join(found), np.uint8).reshape(len(found), *shape)
    if feature.kind in ("number", "time", "boxes", "category"):
        dtype = np.int64 if feature.dtype == "int64" else np.float32
        if None in feature.shape:
            shape = [-1 if size is None else size for size in feature.shape]
            return [np.array(value, dtype).reshape(shape) for value in found]
        missing = (MISSING_TIME if feature.kind == "time" else 0) if dtype is np.int64 else np.nan
        return np.array([missing if value is None else value for value in found], dtype).reshape(
            len(found), *(size or 0 for size in feature.shape)
        )
    return list(found)
