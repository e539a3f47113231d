"""Which examples are held out: always the same, by the MD5 of a key that says which belong together."""

import hashlib

TEST, VALIDATION = 15, 10
"""Percent."""


def split_of(key: str, test: int = TEST, validation: int = VALIDATION) -> str:
    """`train`, `validation` or `test`."""
    share = int(hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:8], 16) % 100
    if share < test:
        return "test"
    return "validation" if share < test + validation else "train"
