"""Categories and IDs: short texts, counted many at a time without an object for each."""

from collections import Counter
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.profile.frequencies import Distinct, Frequencies, Hashes, hash_bytes, mixed
from modelyard.templates.profile.room import Room

LONGEST = 64
"""Bytes of a value that are looked at many values at a time; longer ones are looked at one by one."""
_WORD = 8
_PARTS = np.array([(1 << 8 * size) - 1 for size in range(_WORD)] + [(1 << 64) - 1], np.uint64)

Data = NDArray[np.uint8]
Places = NDArray[np.int64]


class Words:
    """Counts values by split."""

    def __init__(self, room: Room) -> None:
        self.by_split: dict[str, Frequencies] = {}
        self.distinct = Distinct(room.hashes)
        self._room = room
        self._split = ""
        self._keys: Hashes = np.zeros(0, np.uint64)
        """Sorted; what the other three have is of the key in the same place."""
        self._hashes: Hashes = np.zeros(0, np.uint64)
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._texts: NDArray[np.object_] = np.zeros(0, object)

    def add(self, split: str, data: Data, places: Places) -> Hashes:
        """Value n is data[places[n] : places[n + 1]]; answers a hash of each, of none where it is empty 0."""
        if split != self._split:
            self.settle()
            self._split = split
        there = np.flatnonzero(np.diff(places))
        found = np.zeros(len(places) - 1, np.uint64)
        if len(there):
            at = self._find(keys(data, places)[there], there, data, places)
            self._counts += np.bincount(at, minlength=len(self._counts))
            found[there] = self._hashes[at]
        return found

    def settle(self) -> None:
        """What was counted is in `by_split`."""
        counted: Counter[bytes] = Counter()
        some = np.flatnonzero(self._counts)
        for text, count in zip(self._texts[some].tolist(), self._counts[some].tolist(), strict=True):
            counted[text] += count
        if counted:
            self.by_split.setdefault(self._split, Frequencies(self._room.values)).add_counted(counted)
        self._counts[:] = 0

    def _find(self, wanted: Hashes, rows: Places, data: Data, places: Places) -> NDArray[np.int64]:
        """Where among the remembered ones each of the wanted keys is; all of them are there afterwards."""
        at = np.searchsorted(self._keys, wanted)
        known = at < len(self._keys)
        known[known] = self._keys[at[known]] == wanted[known]
        if known.all():
            return at
        new, first = np.unique(wanted[~known], return_index=True)
        where = rows[~known][first]
        if len(self._keys) + len(new) > self._room.values:
            self.settle()
            self._forget()
            new, first = np.unique(wanted, return_index=True)
            where = rows[first]
        self._learn(new, [data[places[row] : places[row + 1]].tobytes() for row in where.tolist()])
        return np.searchsorted(self._keys, wanted)

    def _learn(self, new: Hashes, texts: list[bytes]) -> None:
        hashes = hash_bytes(texts)
        self.distinct.add(hashes)
        together = np.concatenate([self._keys, new])
        order = np.argsort(together, kind="stable")
        self._keys = together[order]
        self._hashes = np.concatenate([self._hashes, hashes])[order]
        self._counts = np.concatenate([self._counts, np.zeros(len(new), np.int64)])[order]
        made = np.empty(len(texts), object)
        made[:] = texts
        self._texts = np.concatenate([self._texts, made])[order]

    def _forget(self) -> None:
        self._keys, self._hashes = self._keys[:0], self._hashes[:0]
        self._counts, self._texts = self._counts[:0], self._texts[:0]


def each_once(data: Data, places: Places) -> tuple[list[bytes], NDArray[np.int64]]:
    """The different ones of some texts, and which of them each is; where most are long, none is looked for."""
    count = len(places) - 1
    if len(data) > LONGEST // 2 * count:
        whole = data.tobytes()
        return [whole[start:end] for start, end in pairwise(places.tolist())], np.arange(count)
    _, first, which = np.unique(keys(data, places), return_index=True, return_inverse=True)
    return [data[places[row] : places[row + 1]].tobytes() for row in first.tolist()], which


def keys(data: Data, places: Places) -> Hashes:
    """[n]: equal for equal values. One of up to seven bytes is its own key, of a longer one it is a 64-bit hash."""
    starts, sizes = places[:-1], np.diff(places)
    widest = min(int(sizes.max(initial=0)), LONGEST)
    padded = np.concatenate([data, np.zeros(LONGEST + _WORD, np.uint8)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WORD)
    found = windows[starts].view("<u8")[:, 0] & _PARTS[np.minimum(sizes, _WORD)]
    size = sizes.astype(np.uint64)
    short = found | size << np.uint64(56)
    if widest < _WORD:
        return np.asarray(short)
    found = mixed(size, found)
    for begin in range(_WORD, widest, _WORD):
        rows = np.flatnonzero(sizes > begin)
        more = windows[starts[rows] + begin].view("<u8")[:, 0] & _PARTS[np.minimum(sizes[rows] - begin, _WORD)]
        found[rows] = mixed(found[rows], more)
    found = np.where(sizes < _WORD, short, found)
    long = np.flatnonzero(sizes > LONGEST)
    if len(long):
        found[long] = hash_bytes([data[places[row] : places[row + 1]].tobytes() for row in long.tolist()])
    return found
