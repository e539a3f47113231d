"""Which split an example belongs to, where a hash decides: always the same, on every machine and in every release."""

from collections.abc import Mapping
from hashlib import sha256

HELD_OUT = {"test": 10}
"""What is held out unless the layout gives splits, in percent."""
_ORDER = ("test", "validation")
"""What is held out for the test stays so when a validation split is added."""
FIELD_SEPARATOR = "\x1f"


def hash_split(key: str | bytes, held_out: Mapping[str, int]) -> str:
    """`train`, or the split of `held_out` (percents) that the SHA-256 of `key` falls into.

    Percents are taken from numbers whose tens are the hash modulo 10, so that ten percent are what format 1 called
    hash-10: the hash, its first four bytes read as one number, is divisible by ten.
    """
    data = key.encode("utf-8", "surrogatepass") if isinstance(key, str) else key
    number = int.from_bytes(sha256(data).digest()[:4], "big")
    place = number % 10 * 10 + number // 10 % 10
    for name in _ORDER:
        place -= held_out.get(name, 0)
        if place < 0:
            return name
    return "train"
