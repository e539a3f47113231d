"""Inputs whose parts are in another order, each example's in its own."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 4
"""Patches along a picture's side."""
PIECES = 20
"""Of a sound."""


def words(texts: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each text's words, which are what white space parts, in another order; [n] bytes."""
    found = np.empty(len(texts), object)
    for number, text in enumerate(texts.reshape(-1).tolist()):
        parts = text.split()
        found[number] = b" ".join(parts[place] for place in random.permutation(len(parts)))
    return found.reshape(texts.shape)


def patches(images: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each picture's GRID x GRID patches in another order; what is over at the right and below stays."""
    found = images.copy()
    count, (high, wide) = len(images), (images.shape[1] // GRID, images.shape[2] // GRID)
    part = images[:, : high * GRID, : wide * GRID]
    tiles = part.reshape(count, GRID, high, GRID, wide, -1).swapaxes(2, 3).reshape(count, GRID * GRID, high, wide, -1)
    mixed = random.permuted(np.tile(np.arange(GRID * GRID), (count, 1)), axis=1)
    tiles = tiles[np.arange(count)[:, None], mixed].reshape(count, GRID, GRID, high, wide, -1).swapaxes(2, 3)
    found[:, : high * GRID, : wide * GRID] = tiles.reshape(part.shape)
    return found


def pieces(sounds: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each sound's PIECES equal pieces in another order; what is over at the end stays."""
    found, length = sounds.copy(), sounds.shape[1] // PIECES
    cut = sounds[:, : length * PIECES].reshape(len(sounds), PIECES, length)
    found[:, : length * PIECES] = _reordered(cut, random).reshape(len(sounds), -1)
    return found


def frames(videos: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each video's frames in another order."""
    return _reordered(videos, random)


def frozen(videos: NDArray[Any], _: np.random.Generator) -> NDArray[Any]:
    """Each video's frame in the middle, which stands still."""
    return np.repeat(videos[:, videos.shape[1] // 2, None], videos.shape[1], axis=1)


def _reordered(values: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """The second axis, for each of the first in an order of its own."""
    mixed = random.permuted(np.tile(np.arange(values.shape[1]), (len(values), 1)), axis=1)
    return values[np.arange(len(values))[:, None], mixed]
