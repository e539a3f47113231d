"""A dataset's own description, the file `modelyard.dataset.json` of its tree: read as data from a stranger."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelyard.catalog.domain.errors import DescriptionWrong
from modelyard.foundation.errors import ModelyardError

PATH = "modelyard.dataset.json"
MAX_BYTES = 1 << 20
MAX_DEPTH = 16
MAX_FEATURES = 64
MAX_CLASSES = 100_000
MAX_COUNT = 1 << 53
LAYOUTS = ("class_folders", "idx")
MODALITIES = ("image",)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Feature:
    name: str
    dtype: str
    shape: tuple[int, ...]
    """-1 where examples differ."""
    encoding: str
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    name: str
    example_count: int


@dataclass(frozen=True, slots=True)
class Description:
    layout: str
    modality: str
    features: tuple[Feature, ...]
    splits: tuple[Split, ...]


def read_description(data: bytes, version: str) -> Description:
    """Parse and check; DescriptionWrong says which part of which version is wrong."""
    try:
        return _description(_object(_parse(data), "the file"))
    except _WrongError as error:
        raise wrong(version, str(error)) from None


def wrong(version: str, problem: str) -> ModelyardError:
    return DescriptionWrong(
        f"{PATH} of {version} is wrong: {problem}. Push the dataset again with a correct one", resource=version
    )


class _WrongError(Exception):
    pass


def _parse(data: bytes) -> object:
    if len(data) > MAX_BYTES:
        raise _WrongError(f"it has {len(data)} bytes, more than {MAX_BYTES}")
    try:
        text = data.decode()
        if _depth(text) > MAX_DEPTH:
            raise _WrongError(f"it is nested deeper than {MAX_DEPTH}")
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise _WrongError("it is not UTF-8") from None
    except ValueError as error:
        raise _WrongError(f"it is not JSON: {error}") from None


def _depth(text: str) -> int:
    """How deep brackets are nested outside of strings, before a recursive parser meets them."""
    depth = deepest = 0
    for letter in _STRING.sub("", text):
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _description(value: Mapping[str, Any]) -> Description:
    if value.get("format") != 1 or isinstance(value.get("format"), bool):
        raise _WrongError(f"format is {_shown(value.get('format'))}; this version of modelyard reads format 1")
    features = _object(value.get("features"), "features")
    splits = _object(value.get("splits"), "splits")
    if not 1 <= len(features) <= MAX_FEATURES or not 1 <= len(splits) <= MAX_FEATURES:
        raise _WrongError(f"features and splits have 1 to {MAX_FEATURES} entries")
    return Description(
        _one_of(value.get("layout"), LAYOUTS, "layout"),
        _one_of(value.get("modality"), MODALITIES, "modality"),
        tuple(_feature(name, _object(entry, f"features.{name}")) for name, entry in features.items()),
        tuple(
            Split(_text(name, "a split's name"), _count(_object(entry, f"splits.{name}").get("examples"), name))
            for name, entry in splits.items()
        ),
    )


def _feature(name: str, value: Mapping[str, Any]) -> Feature:
    at = f"features.{name}"
    shape, classes = value.get("shape", []), value.get("classes", [])
    if not isinstance(shape, list) or len(shape) > 8:
        raise _WrongError(f"{at}.shape is not a list of at most 8")
    if not isinstance(classes, list) or len(classes) > MAX_CLASSES:
        raise _WrongError(f"{at}.classes is not a list of at most {MAX_CLASSES}")
    return Feature(
        _text(name, "a feature's name"),
        _text(value.get("dtype"), f"{at}.dtype"),
        tuple(-1 if size is None else _count(size, f"{at}.shape") for size in shape),
        _text(value.get("encoding", ""), f"{at}.encoding", empty=True),
        tuple(_text(label, f"{at}.classes") for label in classes),
    )


def _object(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"{at} is not an object")
    return value


def _text(value: object, at: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > 1024 or not (value or empty):
        raise _WrongError(f"{at} is {_shown(value)}, not a text of 1 to 1024")
    return value


def _count(value: object, at: str) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise _WrongError(f"{at} holds {_shown(value)}, which is not a count")
    return value


def _one_of(value: object, known: tuple[str, ...], at: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise _WrongError(f"{at} is {_shown(value)}; it is one of {', '.join(known)}")
    return value


def _shown(value: object) -> str:
    return ascii(value)[:80]
