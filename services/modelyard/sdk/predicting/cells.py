"""One value of one row, as the bytes of a tensor."""

import base64
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.layouts.values import as_class, is_missing
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting import media
from modelyard.sdk.predicting.model import MEDIA, Input

FORMATS = {
    "bool": "?",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
}
_TRUTHS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}
_NUMBERED = ("user", "item", "id")
_NAMES = ("category", *_NUMBERED)
"""What training reads without the blanks around it, and as missing where it is such as `NA`."""
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Cell:
    """A value in row-major order: packed numbers, or texts."""

    shape: tuple[int, ...]
    content: bytes | tuple[bytes, ...]
    note: str = ""
    """What the asker should know about it."""

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content) if isinstance(self.content, bytes) else sum(map(len, self.content))


def cell(wanted: Input, value: Any, base: Path | None = None) -> Cell:
    """What the input gets of a value; raises InvalidArgument that names the input, what it takes and what it got."""
    if wanted.kind in MEDIA and _is_file(value):
        return _file(wanted, value, base)
    if wanted.dtype == "string":
        return _texts(wanted, value)
    if wanted.dtype not in FORMATS:
        raise refused(wanted, f"is of the type {wanted.dtype}, which can't be typed here")
    if hasattr(value, "tobytes") and str(getattr(value, "dtype", "")) == wanted.dtype:
        return Cell(_fitted(wanted, tuple(value.shape)), value.tobytes())
    if hasattr(value, "tolist"):
        value = value.tolist()
    shape, values = _flat(wanted, value)
    numbers: list[Any] = list(values)
    try:
        numbers = [_number(wanted, each) for each in values]
        return Cell(_fitted(wanted, shape), struct.pack(f"<{len(numbers)}{FORMATS[wanted.dtype]}", *numbers))
    except (struct.error, OverflowError):
        wrong = next((each for each in numbers if not _packs(wanted.dtype, each)), numbers)
        raise refused(wanted, f"takes {wanted.dtype}, and {wrong!r} does not fit") from None


def refused(wanted: Input, problem: str, reason: str = "INPUT_INVALID") -> InvalidArgument:
    """`age takes a number …`"""
    return InvalidArgument(f"{wanted.name} {problem}", reason=reason, field=wanted.name)


def _is_file(value: Any) -> bool:
    return isinstance(value, str | Path | bytes) or (isinstance(value, Mapping) and value.keys() == {"b64"})


def _file(wanted: Input, value: Any, base: Path | None) -> Cell:
    if isinstance(value, Mapping):
        value = _decoded(wanted, value)
    if value == "":
        raise refused(wanted, f"takes {media.FORMS[wanted.kind]}, and none is given", "INPUT_MISSING")
    shape, content, note = media.content(wanted, value, base)
    if wanted.dtype != "string":
        return Cell(_fitted(wanted, shape), content, note)
    return Cell(_fitted(wanted, ()), (content,), note)


def _decoded(wanted: Input, value: Mapping[str, Any]) -> bytes:
    try:
        return from_base64(value["b64"])
    except ValueError:
        raise refused(wanted, "has a b64 value that is not base64") from None


def from_base64(value: Any) -> bytes:
    """Base64 as TensorFlow Serving takes it: in lines or not, padded or not. Raises ValueError."""
    if not isinstance(value, str | bytes):
        raise ValueError(value)
    text = "".join((value if isinstance(value, str) else value.decode()).split()).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def _texts(wanted: Input, value: Any) -> Cell:
    if isinstance(value, Path):
        value = media.read(wanted, value)
    elif isinstance(value, Mapping) and value.keys() == {"b64"}:
        value = _decoded(wanted, value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    shape, values = _flat(wanted, value)
    texts = tuple(_text(wanted, each) for each in values)
    return Cell(_fitted(wanted, shape), texts, _note(wanted, texts))


def _note(wanted: Input, texts: Sequence[bytes]) -> str:
    if wanted.kind == "text" and b"" in texts:
        return f"{wanted.name} is empty"
    if wanted.kind == "category" and wanted.categories:
        new = [text for text in texts if text and text.decode(errors="replace") not in wanted.categories]
        if new:
            return f"{wanted.name} {_shown(new[0].decode(errors='replace'))} was not seen in training"
    return ""


def _text(wanted: Input, value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    text = _written(wanted, value)
    if wanted.kind in _NAMES and text not in wanted.categories:
        text = "" if is_missing(text) else as_class(text, wanted.categories)
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise refused(wanted, "has half a character in it (a lone surrogate)") from None


def _written(wanted: Input, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and wanted.kind in _NUMBERED:
        # JSON and tables of numbers know no whole ones.
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    raise refused(wanted, f"takes a text, not {_shown(value)}")


def _number(wanted: Input, value: Any) -> Any:
    """A number of the input's kind; raises InvalidArgument."""
    if isinstance(value, str):
        value = _parsed(wanted, value.strip())
    if wanted.dtype == "bool":
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        raise refused(wanted, f"takes true or false, not {_shown(value)}")
    if wanted.dtype.startswith("float"):
        if value is None:
            return math.nan
        if isinstance(value, int | float):
            return float(value)
        raise refused(wanted, f"takes a number ({wanted.dtype}), not {_shown(value)}")
    if value is None:
        raise refused(wanted, f"takes a whole number ({wanted.dtype}), and none is given", "INPUT_MISSING")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int):
        return int(value)
    raise refused(wanted, f"takes a whole number ({wanted.dtype}), not {_shown(value)}")


def _parsed(wanted: Input, text: str) -> Any:
    """None where it is missing."""
    if is_missing(text):
        return None
    if wanted.dtype == "bool":
        return _TRUTHS.get(text.lower(), text)
    try:
        if "_" in text:
            raise ValueError
        if not wanted.dtype.startswith("float"):
            return int(text)
        number = float(text)
        if math.isinf(number) and "inf" not in text.lower():
            raise refused(wanted, f"takes {wanted.dtype}, and {_shown(text)} does not fit")
        return number
    except ValueError:
        pass
    try:
        return float(text) if "_" not in text else text
    except ValueError:
        return text


def _fitted(wanted: Input, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape, if it is one that the input takes; a value where a row of one is taken is one."""
    row = wanted.row_shape
    if row is None:
        return shape
    if not shape and row in ((1,), (-1,)):
        return (1,)
    if len(shape) != len(row) or any(size not in (-1, have) for size, have in zip(row, shape, strict=True)):
        raise refused(wanted, f"takes {sizes(row)} of {wanted.dtype}, not {sizes(shape)}")
    return shape


def sizes(shape: tuple[int, ...]) -> str:
    """`28 × 28 × 1`; `one value` for none."""
    return " × ".join("any" if size < 0 else f"{size:,}" for size in shape) or "one value"


def _flat(wanted: Input, value: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Shape and values in row-major order of lists in lists."""
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list | tuple):
        size = len(level[0])
        if not all(isinstance(each, list | tuple) and len(each) == size for each in level):
            raise refused(wanted, f"has lists of different lengths at depth {len(shape) + 1}")
        shape.append(size)
        level = [inner for each in level for inner in each]
    if any(isinstance(each, list | tuple) for each in level):
        raise refused(wanted, "mixes lists and values")
    return tuple(shape), level


def _packs(dtype: str, value: Any) -> bool:
    try:
        struct.pack(f"<{FORMATS[dtype]}", value)
    except (struct.error, OverflowError):
        return False
    return True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
