"""What generated sets are made of: the same bytes from a seed, and files that other programs read."""

import hashlib
import io
import wave

import numpy as np
import pytest
from PIL import Image

from modelyard.sdk.gallery.generated.draws import Draws
from modelyard.sdk.gallery.generated.gif import to_gif
from modelyard.sdk.gallery.generated.png import to_png
from modelyard.sdk.gallery.generated.raster import UNIT, filled
from modelyard.sdk.gallery.images import plates, scenes
from modelyard.sdk.gallery.images.mnist import Digits
from modelyard.sdk.gallery.sounds.waves import to_wav
from modelyard.sdk.gallery.videos import motions


def picture(height: int, width: int, channels: int, seed: int = 1) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Soft enough that a filter helps, with some noise."""
    slope = np.add.outer(np.arange(height), np.arange(width))[..., None] * np.arange(1, channels + 1)
    uneven = (np.arange(slope.size).reshape(slope.shape) * 7919 + seed * 31) % 97 % 9
    return ((slope + uneven) % 256).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (33, 20), (96, 96)])
def test_a_png_is_read_as_it_was_drawn(size: tuple[int, int], channels: int) -> None:
    pixels = picture(*size, channels)
    with Image.open(io.BytesIO(to_png(pixels))) as image:
        assert image.mode == {1: "L", 3: "RGB"}[channels]
        assert np.array_equal(np.asarray(image).reshape(pixels.shape), pixels)


def test_a_gif_has_the_nearest_of_its_colours_and_its_time() -> None:
    frames = [picture(48, 48, 3, seed) for seed in range(3)]
    with Image.open(io.BytesIO(to_gif(frames, 100))) as clip:
        assert clip.n_frames == 3  # type: ignore[attr-defined]
        assert clip.info["duration"] == 100
        for number, frame in enumerate(frames):
            clip.seek(number)
            shown = np.asarray(clip.convert("RGB")).astype(int)
            assert np.abs(shown - frame).max() <= 26


def test_a_wav_is_heard_as_it_was_spoken() -> None:
    samples = np.arange(-500, 500, dtype="<i2").tobytes()
    with wave.open(io.BytesIO(to_wav(samples, 11_025))) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (11_025, 1, 2)
        assert sound.readframes(1_000) == samples


def test_a_square_is_filled_by_as_much_as_it_covers() -> None:
    square = np.array([(0, 0), (3 * UNIT // 2, 0), (3 * UNIT // 2, UNIT), (0, UNIT)], np.int64)
    assert filled([square], 2, 3).tolist() == [[255, 127, 0], [0, 0, 0]]


def test_draws_are_the_same_for_ever_and_differ_by_their_name() -> None:
    assert [Draws("set", 1, "train", 0).below(1000) for _ in range(2)] == [Draws("set", 1, "train", 0).below(1000)] * 2
    first = Draws("motions", 1, "train", 0)
    assert [first.below(100) for _ in range(5)] != [Draws("motions", 1, "train", 1).below(100) for _ in range(5)]
    drawn = Draws("everything", 1)
    said = repr([drawn.word(), drawn.between(3, 9), drawn.pick("abc"), drawn.noise(4).tolist()])
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == "185af77e6ca1cdcf"


def some_digits() -> Digits:
    images = np.zeros((10, 28, 28), np.uint8)
    images[:, 6:22, 9:19] = 255
    return Digits(images, np.arange(10, dtype=np.uint8))


def some_clips() -> "list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]":
    return [np.stack([picture(120, 160, 3, seed) for seed in range(12)])]


def test_a_scenes_boxes_lie_around_its_digits() -> None:
    image, boxes = scenes.draw(Draws("digit-scenes", 1, "train", 0), some_digits(), some_clips())
    empty, _ = scenes.draw(
        Draws("digit-scenes", 1, "train", 0), Digits(some_digits().images // 255, some_digits().labels), some_clips()
    )
    changed = (image != empty).any(axis=-1)
    assert boxes
    for (left, top, width, height), digit in boxes:
        assert 0 <= digit <= 9
        assert changed[top : top + height, left : left + width].mean() > 0.5
        changed[top : top + height, left : left + width] = False
    assert not changed.any()


@pytest.mark.parametrize("motion", motions.MOTIONS)
def test_a_motion_goes_where_its_name_says(motion: str) -> None:
    steps = np.diff(np.array(motions.path(motion, Draws("motions", 1, motion))), axis=0)
    if motion in ("left", "right", "up", "down"):
        sideways = motion in ("left", "right")
        along, across = (steps[:, 0], steps[:, 1]) if sideways else (steps[:, 1], steps[:, 0])
        assert (across == 0).all()
        assert ((along > 0) == (motion in ("right", "down"))).all()
    else:
        turned = np.sign(steps[:-1, 0] * steps[1:, 1] - steps[:-1, 1] * steps[1:, 0]).sum()
        assert (turned > 0) == (motion == "clockwise")  # down is positive


def test_a_generated_example_comes_out_of_its_seed_byte_for_byte() -> None:
    clip = motions.draw("left", Draws("motions", 1, "train", 0), some_digits().images[3], some_clips())
    assert clip == motions.draw("left", Draws("motions", 1, "train", 0), some_digits().images[3], some_clips())
    assert hashlib.sha256(clip).hexdigest()[:16] == "68e2e67b9f4a01c5"


def test_plates_are_written_as_in_three_countries() -> None:
    written = {plates.plate(Draws("plates", 1, "train", number)) for number in range(30)}
    assert len(written) == 30
    assert {(plate.count(" "), plate.count("-")) for plate in written} == {(2, 0), (0, 2), (1, 0)}
