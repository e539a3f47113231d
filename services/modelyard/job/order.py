"""The order of examples: a pure function of (seed, epoch), so a position in it is a number and not an iterator's state.

Philox's raw 64-bit stream is fixed by its paper and by NumPy's compatibility rule (NEP 19), which Generator.permutation
is not; sorting it gives a permutation that is the same on every machine and after every upgrade.
"""

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def permutation(seed: int, epoch: int, count: int) -> Indices:
    """0 … count-1 in the order of this epoch; raises ValueError for a negative epoch."""
    key = np.array([seed & (1 << 64) - 1, epoch], np.uint64)
    draws = np.random.Philox(key=key).random_raw(count)
    return np.argsort(draws, kind="stable").astype(np.int64, copy=False)


def batches(order: Indices, batch_size: int, start: int = 0) -> list[Indices]:
    """The epoch's batches from number `start` on; the last may be smaller."""
    return [order[at : at + batch_size] for at in range(start * batch_size, len(order), batch_size)]


def runs(order: Indices, batch_size: int, run: int) -> list[Indices]:
    """The epoch's batches, `run` of them together, [batches, batch_size]; a smaller last batch is by itself."""
    whole = len(order) - len(order) % batch_size
    found = [rows.reshape(-1, batch_size) for rows in batches(order[:whole], run * batch_size)]
    return found + [order[whole:].reshape(1, -1)] * (whole < len(order))


def blocks(order: Indices, batch_size: int, run: int) -> tuple[Indices, Indices, Indices]:
    """The same runs, each [runs, batches, batch_size]: those of `run` batches, a shorter one, and a smaller batch."""
    whole = len(order) - len(order) % batch_size
    even = whole - whole % (run * batch_size)
    return (
        order[:even].reshape(-1, run, batch_size),
        order[even:whole].reshape(int(even < whole), (whole - even) // batch_size, batch_size),
        order[whole:].reshape(int(whole < len(order)), 1, len(order) - whole),
    )


def batch_count(count: int, batch_size: int) -> int:
    """How many batches an epoch has."""
    return -(-count // batch_size)
