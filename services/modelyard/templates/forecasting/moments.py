"""Times in the graph: read as people write them, written again, and as numbers that come again with day, week and year.

Days are counted as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms" (proleptic Gregorian calendar).
"""

import math
from typing import Any

import tensorflow as tf

DAY = 86_400
_DATE = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_FORM = rf"{_DATE}([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?)?(Z|\+00:00)?"
_MIDNIGHT = "0000-00-00T00:00:00"
_YEAR_DAYS = 365.2425
_WAVES = {DAY: 4, 7 * DAY: 3, round(_YEAR_DAYS * DAY): 1}
"""Period -> how many sines and cosines of it."""


def seconds(texts: Any, name: str) -> Any:
    """string [n], of UTC -> int64 [n]; the graph refuses what is no time."""
    good = tf.strings.regex_full_match(texts, _FORM)
    message = f"{name} is the time of the last known value, such as 2011-12-31T23:00 (UTC), and not"
    wrong = tf.boolean_mask(texts, tf.logical_not(good))
    checked = tf.debugging.Assert(tf.reduce_all(good), [message, wrong])
    with tf.control_dependencies([checked] if checked is not None else []):
        plain = tf.strings.regex_replace(texts, r"(\.\d+)?(Z|\+00:00)?$", "")
    length = tf.strings.length(plain)
    plain = tf.strings.join([plain, tf.strings.substr(tf.fill(tf.shape(plain), _MIDNIGHT), length, 19 - length)])

    def part(start: int, size: int) -> Any:
        return tf.strings.to_number(tf.strings.substr(plain, start, size), tf.int64)

    days = _days(part(0, 4), part(5, 2), part(8, 2))
    return days * DAY + part(11, 2) * 3600 + part(14, 2) * 60 + part(17, 2)


def _days(year: Any, month: Any, day: Any) -> Any:
    """Since 1970-01-01."""
    year = year - tf.cast(month <= 2, tf.int64)
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def iso(moments: Any) -> Any:
    """int64 -> string, such as 2011-12-31T23:00; with its seconds where it is not on a minute."""
    days, rest = moments // DAY + 719_468, moments % DAY
    era = days // 146_097
    of_era = days - era * 146_097
    years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    shifted = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted + 2) // 5 + 1
    month = tf.where(shifted < 10, shifted + 3, shifted - 9)
    year = years + era * 400 + tf.cast(month <= 2, tf.int64)

    def digits(value: Any, width: int) -> Any:
        return tf.strings.as_string(value, width=width, fill="0")

    date = tf.strings.join([digits(year, 4), digits(month, 2), digits(day, 2)], "-")
    left = moments % 60
    more = tf.where(left > 0, tf.strings.join([":", digits(left, 2)]), "")
    return tf.strings.join([date, "T", digits(rest // 3600, 2), ":", digits(rest % 3600 // 60, 2), more])


def calendar(moments: Any, step: int, span: int) -> Any:
    """int64 of any shape -> float32 [..., features]. Left out is what is shorter than two of the steps, and what the
    training data, so many seconds of it, has not seen twice."""
    found = []
    for period, waves in _WAVES.items():
        if period <= step or 2 * period > span:
            continue
        # 1970 began on a Thursday; whole numbers are taken modulo before they become floats of seven digits.
        phase = tf.cast(moments % period, tf.float32) * (2 * math.pi / period)
        for wave in range(1, waves + 1):
            if 2 * wave * step <= period:
                found += [tf.sin(wave * phase), tf.cos(wave * phase)]
    return tf.stack(found, axis=-1) if found else tf.zeros_like(moments, tf.float32)[..., tf.newaxis]
