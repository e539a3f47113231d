"""Canonical Huffman codes for bytes, as deflate (RFC 1951) has them."""

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def code_lengths(counts: list[int], longest: int) -> list[int]:
    """The length of each symbol's code, 0 for those that do not occur; ties always fall the same way."""
    while True:
        lengths = _lengths(counts)
        if max(lengths) <= longest:
            return lengths
        # Evening the counts out shortens the longest codes; two or three rounds do for 256 symbols.
        counts = [(count + 1) // 2 if count else 0 for count in counts]


def _lengths(counts: list[int]) -> list[int]:
    heap: list[tuple[int, int, tuple[int, ...]]] = [
        (count, symbol, (symbol,)) for symbol, count in enumerate(counts) if count
    ]
    lengths = [0] * len(counts)
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
        return lengths
    heapq.heapify(heap)
    while len(heap) > 1:
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        symbols = one[2] + other[2]
        for symbol in symbols:
            lengths[symbol] += 1
        heapq.heappush(heap, (one[0] + other[0], min(one[1], other[1]), symbols))
    return lengths


def codes(lengths: list[int]) -> list[int]:
    """The code of each symbol, its bits in the order in which deflate packs them: the first is the lowest."""
    code, following = 0, {}
    for length in range(1, max(lengths) + 1):
        code = (code + lengths.count(length - 1) if length > 1 else 0) << 1
        following[length] = code
    found = []
    for length in lengths:
        if length:
            found.append(int(f"{following[length]:0{length}b}"[::-1], 2))
            following[length] += 1
        else:
            found.append(0)
    return found


def pack(values: "NDArray[np.uint32]", lengths: "NDArray[np.uint8]") -> bytes:
    """Bits one behind the other, each value's lowest first; filled up to whole bytes."""
    import numpy as np

    places = np.cumsum(lengths.astype(np.int64)) - lengths
    bits = np.zeros(int(places[-1]) + int(lengths[-1]), np.uint8)
    for bit in range(int(lengths.max())):
        has = lengths > bit
        bits[places[has] + bit] = (values[has] >> np.uint32(bit)) & 1
    return np.packbits(bits, bitorder="little").tobytes()
