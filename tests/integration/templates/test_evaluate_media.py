"""Evaluations of pictures, sounds and videos: what is shown of them, and what a model goes by."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from modelyard.job.errors import ExamplesUnreadable
from modelyard.job.trial import prepare_dataset
from tests.integration.templates.evaluations import run, save

pytestmark = pytest.mark.timeout(300)

RATE, SAMPLES = 2000, 400


def picture(shade: int, top: bool) -> bytes:
    """Bright above or bright below, noise beside it."""
    pixels = np.random.default_rng(shade).integers(0, 40, (16, 16, 3)).astype(np.uint8)
    pixels[: 8 if top else None, :] += np.uint8(160)
    if not top:
        pixels[:8] -= np.uint8(160)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def broken(data: bytes) -> bytes:
    """The header is whole, the pixels are not."""
    at = data.index(b"IDAT") + 8
    return data[:at] + bytes(20) + data[at + 20 :]


def sound(rising: bool) -> bytes:
    """Loud at its end, or at its beginning."""
    loudness = np.linspace(0, 0.9, SAMPLES) if rising else np.linspace(0.9, 0, SAMPLES)
    out = io.BytesIO()
    soundfile.write(out, loudness * np.sin(np.arange(SAMPLES)), RATE, format="WAV")
    return out.getvalue()


def video(rising: bool) -> bytes:
    """Brighter and brighter, or darker and darker."""
    shades = range(0, 250, 50) if rising else range(200, -50, -50)
    frames = [Image.fromarray(np.full((12, 12, 3), shade, np.uint8)) for shade in shades]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return out.getvalue()


def ends(values: Any, axes: tuple[int, ...]) -> Mapping[str, Any]:
    """Which half of an example, along its first axis, has more in it: the first or the second."""
    size = tf.shape(values)[1] // 2
    first = tf.reduce_mean(tf.abs(tf.cast(values[:, :size], tf.float32)), axes)
    second = tf.reduce_mean(tf.abs(tf.cast(values[:, size:], tf.float32)), axes)
    return {"probabilities": tf.nn.softmax(50.0 * tf.stack([first, second], 1))}


def folders(suffix: str, first: list[bytes], second: list[bytes]) -> dict[str, bytes]:
    return {
        f"{split}/{name}/{number}.{suffix}": data
        for split in ("train", "test")
        for name, examples in (("first", first), ("second", second))
        for number, data in enumerate(examples)
    }


def test_a_picture_that_cannot_be_decoded_is_left_out_counted_and_named(tmp_path: Path) -> None:
    files = folders("png", [picture(n, True) for n in range(20)], [picture(n, False) for n in range(20)])
    files["test/first/3.png"] = broken(files["test/first/3.png"])
    files["test/second/5.png"] = files["test/first/5.png"]
    prepare_dataset(tmp_path / "dataset", files)
    spec = tf.TensorSpec((None, 16, 16, 3), tf.uint8, "image")
    model = save(tmp_path / "model", lambda image: ends(image, (1, 2, 3)), spec, names=("first", "second"))
    found = run(tmp_path, tmp_path / "dataset", model, batch_size=16)
    assert (found["examples"], found["left_out"]) == (39, {"cannot be decoded": 1})
    assert found["metrics"]["accuracy"] == pytest.approx(38 / 39)
    (mistake,) = found["mistakes"]
    assert mistake["path"] == "test/second/5.png"
    assert mistake["image"].startswith("data:image/png;base64,")
    (control,) = found["controls"]
    assert (control["name"], control["examples"]) == ("patches of image shuffled", 39)
    assert control["value"] < 0.8 < control["as_is"]
    (broken_one,) = found["unreadable"]
    assert broken_one["path"] == "test/first/3.png"
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "Examples left out of all numbers: 1 cannot be decoded." in page
    assert f"<li>test/first/3.png: {broken_one['reason']}</li>" in page
    assert "test/second/5.png" in page


@pytest.mark.parametrize(
    ("suffix", "make", "control", "shape", "kind"),
    [
        ("wav", sound, "pieces of audio shuffled", (SAMPLES,), tf.float32),
        ("gif", video, "frames of video shuffled", (5, 12, 12, 3), tf.uint8),
    ],
)
def test_sounds_and_videos_are_judged_by_models_that_say_how_they_take_them(
    tmp_path: Path, suffix: str, make: Any, control: str, shape: tuple[int, ...], kind: Any
) -> None:
    files = folders(suffix, [make(False)] * 20, [make(True)] * 20)
    files[f"test/second/0.{suffix}"] = make(False)
    prepare_dataset(tmp_path / "dataset", files)
    name = control.split()[2]
    axes = tuple(range(1, len(shape) + 1))
    spec = tf.TensorSpec((None, *shape), kind, name)
    model = save(tmp_path / "model", lambda values: ends(values, axes), spec, names=None)
    about = {"format": 1, "classes": ["first", "second"], "audio": {"sample_rate": RATE, "seconds": SAMPLES / RATE}}
    (model / "modelyard.model.json").write_text(json.dumps(about))
    found = run(tmp_path, tmp_path / "dataset", model)
    assert found["metrics"]["accuracy"] == pytest.approx(39 / 40)
    still = ["one frame of video only"] if name == "video" else []
    assert [each["name"] for each in found["controls"]] == [control, *still]
    assert all(each["value"] < 0.8 for each in found["controls"])
    (mistake,) = found["mistakes"]
    assert mistake["path"] == f"test/second/0.{suffix}"
    assert mistake.get("frames") == (8 if name == "video" else None)
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert f"test/second/0.{suffix}" in page
    assert ("image" in mistake) == (name == "video")
    if name == "audio":
        heard = base64.b64decode(mistake["sound"]["source"].removeprefix("data:audio/wav;base64,"))
        assert heard == files["test/second/0.wav"]
        assert f'<audio controls preload="metadata" src="{mistake["sound"]["source"]}">' in page
        assert page.count("class=wave") == 1
        assert "media-src data:" in page


def test_examples_of_which_none_can_be_judged_are_no_evaluation(tmp_path: Path) -> None:
    files = folders("png", [picture(n, True) for n in range(8)], [picture(n, False) for n in range(8)])
    files |= {path: broken(data) for path, data in files.items() if path.startswith("test/")}
    prepare_dataset(tmp_path / "dataset", files)
    spec = tf.TensorSpec((None, 16, 16, 3), tf.uint8, "image")
    model = save(tmp_path / "model", lambda image: ends(image, (1, 2, 3)), spec, names=("first", "second"))
    with pytest.raises(ExamplesUnreadable, match=r"16 of the 16 examples of split 'test' cannot be decoded, half"):
        run(tmp_path, tmp_path / "dataset", model)
