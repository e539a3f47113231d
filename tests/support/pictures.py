"""Small pictures, made on the spot."""

import io
import random
import struct
from collections.abc import Sequence
from pathlib import Path

from PIL import Image


def picture(seed: int = 0, *, size: tuple[int, int] = (8, 6), mode: str = "L", format: str = "PNG") -> bytes:
    """A picture of noise, (width, height); the same seed gives the same bytes."""
    noise = random.Random(seed).randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands()))
    out = io.BytesIO()
    Image.frombytes(mode, size, noise).save(out, format)
    return out.getvalue()


def write_classes(folder: Path, counts: dict[str, int], *, size: tuple[int, int] = (8, 6)) -> Path:
    """`{"train/cat": 3}`: so many PNG files in each of these folders."""
    seed = 0
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed += 1
            (folder / name / f"{number:04}.png").write_bytes(picture(seed, size=size))
    return folder


def idx(values: bytes, *sizes: int) -> bytes:
    """An IDX file of unsigned bytes."""
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + values


def idx_pair(split: str, labels: Sequence[int], side: int = 4) -> dict[str, bytes]:
    """The two files of a split in MNIST's format."""
    noise = random.Random(split).randbytes(len(labels) * side * side)
    return {
        f"{split}-images-idx3-ubyte": idx(noise, len(labels), side, side),
        f"{split}-labels-idx1-ubyte": idx(bytes(labels), len(labels)),
    }
