"""CRC-32C (Castagnoli) of many records at once, with NumPy.

A record is cut into blocks of one length, zeros before the first; the blocks of all records go through the byte-wise
table side by side, then a record's blocks are put together: appending a block to what came before is a linear map,
which is four more tables. Source: RFC 3720, appendix B.4.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78
_MASK_DELTA = 0xA282EAD8
_BLOCKS = (64, 256, 1024)


def masked(crc: int) -> int:
    """As TFRecord files store it."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def crc32c(records: Sequence[bytes]) -> list[int]:
    """The CRC-32C of each."""
    mean = sum(map(len, records)) // max(1, len(records))
    block = next((size for size in _BLOCKS if mean <= 8 * size), _BLOCKS[-1])
    counts = np.array([max(1, -(-len(record) // block)) for record in records], np.int64)
    ends = np.cumsum(counts)
    data = np.zeros((int(counts.sum()) if len(records) else 0, block), np.uint8)
    flat = data.reshape(-1)
    for record, end in zip(records, ends * block, strict=True):
        start = int(end) - len(record)
        flat[start:end] = np.frombuffer(record, np.uint8)
        flat[start : start + min(4, len(record))] ^= 0xFF
    states = _run(np.zeros(len(data), np.uint32), data)
    found = np.zeros(len(records), np.uint32)
    shift = _shift(block)
    for back in range(int(counts.max(initial=0)), 0, -1):
        there = counts >= back
        found[there] = _apply(shift, found[there]) ^ states[ends[there] - back]
    whole = found ^ np.uint32(0xFFFFFFFF)
    return [int(crc) if len(record) >= 4 else _short(record) for crc, record in zip(whole, records, strict=True)]


def _run(states: NDArray[np.uint32], data: NDArray[np.uint8]) -> NDArray[np.uint32]:
    table = _table()
    for column in np.ascontiguousarray(data.T):
        states = table[(states ^ column) & 0xFF] ^ (states >> 8)
    return states


def _short(record: bytes) -> int:
    """The first four bytes meet the initial value; where there are fewer, the way of the textbook."""
    crc = 0xFFFFFFFF
    for byte in record:
        crc = int(_table()[(crc ^ byte) & 0xFF]) ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1)
    return table


@cache
def _shift(block: int) -> NDArray[np.uint32]:
    """[4, 256]: what a block of zeros makes of a state, by the state's bytes."""
    states: Any = (np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])).reshape(-1)
    return _run(states, np.zeros((1024, block), np.uint8)).reshape(4, 256)


def _apply(shift: NDArray[np.uint32], states: NDArray[np.uint32]) -> NDArray[np.uint32]:
    found: NDArray[np.uint32] = (
        shift[0][states & 0xFF]
        ^ shift[1][(states >> 8) & 0xFF]
        ^ shift[2][(states >> 16) & 0xFF]
        ^ shift[3][states >> 24]
    )
    return found
