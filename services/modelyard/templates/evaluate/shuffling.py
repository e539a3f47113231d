"""Inputs whose parts are in another order, each example's in its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 4
"""Patches along a picture's side."""
PIECES = 20
"""Of a sound."""
LONGEST = 14
"""Symbols: what white space parts and is longer on average are no words, but sentences or parts of them."""
Shuffle = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]


def of_texts(texts: NDArray[Any]) -> tuple[str, Shuffle]:
    """What is in an order in such texts, and what shuffles it: their words, or their symbols where white space does not
    part words (Chinese, Japanese, Thai) or most texts are one word; [n] bytes, those without a word do not count."""
    parts = [text.decode("utf-8", "replace").split() for text in texts.reshape(-1).tolist()]
    texts_with, all_ = sum(map(bool, parts)), sum(map(len, parts))
    symbols_in = sum(len(part) for text in parts for part in text)
    return ("words", words) if all_ >= 2 * texts_with and symbols_in <= LONGEST * all_ else ("symbols", symbols)


def words(texts: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each text's words, which are what white space parts, in another order; [n] bytes."""
    found = np.empty(len(texts), object)
    for number, text in enumerate(texts.reshape(-1).tolist()):
        parts = text.split()
        found[number] = b" ".join(parts[place] for place in random.permutation(len(parts)))
    return found.reshape(texts.shape)


def symbols(texts: NDArray[Any], random: np.random.Generator) -> NDArray[Any]:
    """Each text's symbols (code points), white space among them, in another order; [n] bytes."""
    found = np.empty(len(texts), object)
    for number, text in enumerate(texts.reshape(-1).tolist()):
        points = text.decode("utf-8", "replace")
        found[number] = "".join(points[place] for place in random.permutation(len(points))).encode()
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
