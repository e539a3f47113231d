"""Pictures of identities: each is where a few bright discs lie."""

import io

import numpy as np
from PIL import Image, ImageDraw

SIDE = 32


def picture(identity: int, seed: int) -> bytes:
    """An identity is where a few bright discs lie; colours and noise are its pictures' own."""
    places = np.random.default_rng(identity).integers(4, SIDE - 4, (4, 2)).tolist()
    random = np.random.default_rng(1000 * identity + seed + 1)
    image = Image.fromarray(random.integers(0, 90, (SIDE, SIDE, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    colour = tuple(random.integers(130, 255, 3).tolist())
    for x, y in places:
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pictures(splits: dict[str, range], each: int = 4) -> dict[str, bytes]:
    return {
        f"{split}/who{identity:03}/{seed}.png": picture(identity, seed)
        for split, identities in splits.items()
        for identity in identities
        for seed in range(each)
    }
