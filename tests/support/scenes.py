"""Pictures with a red and a green rectangle on them, and where they are."""

import io
import json

import numpy as np
from PIL import Image

SIDE = 32
COLOURS = {"red": (230, 40, 40), "green": (40, 210, 60)}


def scene(number: int, *, side: int = SIDE, empty: bool = False) -> tuple[bytes, list[tuple[list[int], int]]]:
    """A picture of noise with a red and a green rectangle on it, and their boxes."""
    random = np.random.default_rng(number)
    pixels = random.integers(0, 70, (side, side, 3)).astype(np.uint8)
    boxes = []
    for kind, (half, colour) in enumerate(zip((0, side // 2), COLOURS.values(), strict=True)):
        if empty:
            break
        wide, high = random.integers(side // 4, side // 2 - 1, 2).tolist()
        left, top = half + int(random.integers(0, side // 2 - wide)), int(random.integers(0, side - high))
        pixels[top : top + high, left : left + wide] = colour
        boxes.append(([left, top, wide, high], kind))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue(), boxes


def scenes(counts: dict[str, int], *, empty: bool = False) -> dict[str, bytes]:
    """As COCO has them; every tenth of training has nothing on it, every eighth of test a box around nothing."""
    files: dict[str, bytes] = {}
    for split, count in counts.items():
        images, annotations = [], []
        for number in range(count):
            name = f"{split}/{number}.png"
            files[name], boxes = scene(
                number + 1000 * len(files), empty=empty or (split == "train" and number % 10 == 9)
            )
            if split == "test" and number % 8 == 7:
                boxes.append(([1, 1, 6, 6], 0))
            images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
            annotations += [{"image_id": number, "category_id": kind, "bbox": box} for box, kind in boxes]
        categories = [{"id": number, "name": name} for number, name in enumerate(COLOURS)]
        listed = {"images": images, "annotations": annotations, "categories": categories}
        files[f"{split}.json"] = json.dumps(listed).encode()
    return files
