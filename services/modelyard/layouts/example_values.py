"""What a tf.train.Example holds of each feature."""

from collections.abc import Sequence
from io import BytesIO
from math import isfinite, prod
from typing import Any, BinaryIO

from modelyard.layouts import media
from modelyard.layouts.description import MEDIA, Feature
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.parsing import MAX_CLASSES
from modelyard.layouts.values import is_missing


class BadRecordError(Exception):
    pass


class RecordBytes:
    """Bytes of a record as a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]

    def open(self) -> BinaryIO:
        return BytesIO(self._data)


def parse_record(record: bytes) -> dict[str, list[Any]]:
    from modelyard.api.serving.v1.example_pb2 import Example

    example = Example.FromString(record)
    values = {}
    for key, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values[key] = list(getattr(feature, kind).value) if kind else []
    return values


def value_of(feature: Feature, found: list[Any] | None) -> Any:
    """What a column holds of one record. Raises BadRecordError."""
    needed = feature.role in ("target", "user", "item", "rating") or feature.kind in MEDIA
    if not found and (needed or feature.shape) and None not in feature.shape:
        raise BadRecordError(f"has no {feature.header!r}")
    found = found or []
    if feature.kind in ("number", "time", "boxes") or (feature.kind == "category" and feature.shape):
        return _numbers(feature, found)
    if len(found) > 1:
        raise BadRecordError(f"has {len(found)} values of {feature.header!r} instead of one")
    value = found[0] if found else b""
    if feature.kind == "category":
        return _category(feature, value)
    if not isinstance(value, bytes):
        if feature.kind in ("id", "text"):
            return str(value).encode()
        raise BadRecordError(f"has {value!r} as {feature.header!r}, which is no {feature.kind}")
    if feature.kind in MEDIA:
        _check_media(feature, value)
    else:
        utf_8(value)
    return value


def _numbers(feature: Feature, found: list[Any]) -> Any:
    if any(isinstance(value, bytes) for value in found):
        raise BadRecordError(f"has bytes as {feature.header!r}, which is a {feature.kind}")
    _check_numbers(feature, found)
    if not feature.shape:
        if len(found) > 1:
            raise BadRecordError(f"has {len(found)} values of {feature.header!r} instead of one")
        return found[0] if found else None
    fixed = prod(size for size in feature.shape if size is not None)
    fits = len(found) == fixed if None not in feature.shape else not fixed or len(found) % fixed == 0
    if not fits:
        raise BadRecordError(f"has {len(found)} values of {feature.header!r}; its shape is {list(feature.shape)}")
    return found


def _check_numbers(feature: Feature, found: Sequence[float]) -> None:
    if feature.kind == "time":
        odd, wanted = next((value for value in found if not -1e18 < value < 1e18), None), "time in seconds"
    elif feature.dtype == "int64" or feature.kind == "category":
        odd, wanted = next((value for value in found if not _is_int64(value)), None), "whole number of 64 bits"
    elif feature.kind == "boxes" or (feature.role in ("target", "rating") and not feature.shape):
        odd, wanted = next((value for value in found if not isfinite(value)), None), "finite number of 32 bits"
    else:
        return
    if odd is not None:
        raise BadRecordError(f"has {odd!r} as {feature.header!r}, which is no {wanted}")


def _is_int64(value: float) -> bool:
    return isinstance(value, int) or (value.is_integer() and -(2**63) <= value < 2**63)


def _category(feature: Feature, value: Any) -> Any:
    if feature.role == "target" and _is_no_class(feature, value):
        raise BadRecordError(f"has no {feature.header!r}")
    if isinstance(value, float):
        raise BadRecordError(f"has {value!r} as {feature.header!r}, which is a category")
    if isinstance(value, int):
        if value < 0 or value >= (len(feature.classes) or MAX_CLASSES):
            raise BadRecordError(
                f"has {value} as {feature.header!r}; with {len(feature.classes) or MAX_CLASSES} classes they go from 0"
            )
        return value
    if feature.classes and value and utf_8(value) not in feature.classes:
        raise BadRecordError(f"has {utf_8(value)!r} as {feature.header!r}, which is no class")
    utf_8(value)
    return value


def _is_no_class(feature: Feature, value: Any) -> bool:
    """Whether it is what tables write where there is no value, and no class is called so."""
    if not isinstance(value, bytes):
        return False
    name = utf_8(value)
    return is_missing(name) and name not in feature.classes


def utf_8(value: Any) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError:
        raise BadRecordError(f"has {value[:20]!r}, which is no UTF-8") from None


def _check_media(feature: Feature, value: bytes) -> None:
    if feature.encoding == "raw":
        size = prod(each or 0 for each in feature.shape)
        if len(value) != size:
            raise BadRecordError(f"has {len(value):,} bytes as {feature.header!r}; its shape asks for {size:,}")
        return
    try:
        _, shape = media.look(feature.kind, RecordBytes(value))
    except UnusableError as problem:
        raise BadRecordError(f"has a {feature.header!r} that {problem}") from None
    if any(claimed not in (None, found) for found, claimed in zip(shape, feature.shape, strict=False)):
        raise BadRecordError(f"has a {feature.header!r} of {shape}; the description claims {feature.shape}")
