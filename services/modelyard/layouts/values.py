"""What a value of a table means: it is missing, a number, or a time."""

import math
import re
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime

from modelyard.layouts.chunks import MISSING_TIME

MISSING = frozenset({"", "NA", "N/A", "n/a", "na", "null", "NULL", "NaN", "nan", "<NA>"})
"""How tables write down that there is no value."""
NAN = math.nan
MAX_FLOAT32 = 3.4028235677973366e38
"""What is larger is infinite as float32."""
_WHOLE = re.compile(r"(0|-?[1-9][0-9]*)(\.0)?")


def is_missing(value: str) -> bool:
    return value in MISSING or value.strip() in MISSING


def number(value: str) -> float:
    """NaN where the value is missing, or infinite as float32. Raises ValueError for what is no number."""
    if "_" in value:
        raise ValueError(value)
    try:
        found = float(value)
    except ValueError:
        if is_missing(value):
            return NAN
        raise
    return found if -MAX_FLOAT32 < found < MAX_FLOAT32 else NAN


def is_infinite(value: str) -> bool:
    """Whether it is a number, but none as float32: `inf`, `1e39`, `NAN`."""
    try:
        return math.isnan(number(value)) and not is_missing(value)
    except ValueError:
        return False


def as_class(value: str, classes: Collection[str]) -> str:
    """The class that a value means: itself, or the same whole number written the other way, `1` and `1.0`.

    The stripped value where it is none of these.
    """
    name = value.strip()
    if name in classes:
        return name
    other = _written_otherwise(name)
    return other if other in classes else name


def with_one_writing(names: Collection[str]) -> set[str]:
    """Numbers without `1.0` where whole ones are written `1` too: they are the same class.

    Pandas writes a column of whole numbers so once a value is missing. Codes such as `007` stay what they are.
    """
    whole = {name for name in names if (found := _WHOLE.fullmatch(name)) and not found[2]}
    return {name.removesuffix(".0") if whole and _WHOLE.fullmatch(name) else name for name in names}


def _written_otherwise(name: str) -> str:
    """`1.0` for `1`, and `1` for `1.0`; "" for what is no whole number."""
    found = _WHOLE.fullmatch(name)
    if found is None:
        return ""
    return found[1] if found[2] else f"{name}.0"


def are_plain_numbers(found: Sequence[str]) -> bool:
    """Whether all are numbers as Python writes them; the fast way for a whole column, True for most."""
    try:
        for _ in map(float, found):
            pass
    except ValueError:
        return False
    return "_" not in "".join(found)


def numbers(found: Sequence[str]) -> list[float]:
    """`number` of each; infinite ones may be left as they are."""
    return list(map(float, found)) if are_plain_numbers(found) else list(map(number, found))


def seconds(value: str) -> int:
    """ISO dates and times as seconds since 1970, of UTC where no zone is given; numbers as they are.

    MISSING_TIME where the value is missing. Raises ValueError for what is no time.
    """
    text = value.strip()
    if text in MISSING:
        return MISSING_TIME
    if text[:1].isdigit() and ("-" in text or "/" in text):
        return _iso(text)
    found = number(text)
    if not -1e18 < found < 1e18:
        raise ValueError(value)
    return math.floor(found)


def is_date(value: str) -> bool:
    """Whether it is an ISO date, with or without a time of day."""
    text = value.strip()
    if len(text) < 8 or not text[:4].isdigit() or text[4] not in "-/":
        return False
    try:
        _iso(text)
    except ValueError:
        return False
    return True


def _iso(text: str) -> int:
    plain = text.replace("/", "-")
    if len(plain) <= 10:
        day = date.fromisoformat(plain)
        return (day.toordinal() - _EPOCH) * 86400
    moment = datetime.fromisoformat(plain)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return math.floor(moment.timestamp())


_EPOCH = date(1970, 1, 1).toordinal()


def is_number(value: str) -> bool:
    """Whether it is one, or missing."""
    try:
        number(value)
    except ValueError:
        return False
    return True
