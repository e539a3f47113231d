"""Files that cannot be decoded, among others that can: what a job's code sees of the data, in this process."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from modelyard.job import scratch
from modelyard.job.channel import SilentChannel
from modelyard.job.errors import ExamplesUnreadable
from modelyard.job.messages import JobSpec, Text
from modelyard.job.session import Context
from modelyard.job.trial import prepare_dataset

BAD = ("train/a/03.png", "train/b/07.png")


class Worker(SilentChannel):
    """Hears what the job says."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[Any] = []

    def send(self, message: Any) -> None:
        self.said.append(message)


def job(folder: Path, files: dict[str, bytes] | None = None) -> tuple[Context, Worker]:
    if files is not None:
        prepare_dataset(folder / "data", files)
    spec = JobSpec(job="j", attempt=1, code=str(folder), entry="train", fd=-1, dataset="data", seed=3)
    worker = Worker()
    return Context(spec, folder, worker), worker


def png(shade: int, mode: str = "L", size: int = 6) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), (shade, shade, shade)).convert(mode).save(out, "PNG")
    return out.getvalue()


def pictures(cut: tuple[str, ...] = BAD) -> dict[str, bytes]:
    """Twelve a class, the shade of each is its number; those in `cut` end behind their headers."""
    whole = {f"train/{label}/{n:02}.png": png(n + 100 * (label == "b")) for label in "ab" for n in range(12)}
    return {path: data[:60] if path in cut else data for path, data in whole.items()}


def not_a_number() -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.array([0.1] * 400 + [np.nan] + [0.1] * 7600, np.float32), 16000, "FLOAT", format="WAV")
    return out.getvalue()


def flac(seconds: float = 0.5) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, 0.5 * np.sin(np.arange(int(16000 * seconds)) / 6), 16000, format="FLAC")
    return out.getvalue()


def shades(batches: Any) -> list[int]:
    return [int(picture[0, 0, 0]) for batch, _ in batches.as_numpy_iterator() for picture in batch]


def test_what_cannot_be_decoded_is_no_example_and_is_said_with_its_path(tmp_path: Path) -> None:
    context, worker = job(tmp_path, pictures())
    assert context.splits == {"train": 24}
    images, labels = context.arrays("train")
    assert context.splits == {"train": 22}
    paths = [context.example_path("train", row) for row in range(22)]
    assert set(BAD).isdisjoint(paths)
    assert [int(image[0, 0, 0]) for image in images] == [int(path[-6:-4]) + 100 * ("/b/" in path) for path in paths]
    assert [context.classes[label] for label in labels] == [path.split("/")[1] for path in paths]
    assert sorted(shades(context.dataset("train", batch_size=5))) == sorted(image[0, 0, 0] for image in images)
    (said,) = [message for message in worker.said if isinstance(message, Text)]
    assert said.name == "left out of train"
    assert said.text.startswith("2 of the 24 examples of split 'train' cannot be decoded:\n\n- train/a/03.png ")
    assert all(f"{path} cannot be read as an image of (6, 6, 1): Invalid PNG data" in said.text for path in BAD)


def test_the_order_of_the_rest_is_the_same_wherever_an_attempt_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = job(tmp_path, pictures())
    whole = shades(first.dataset("train", batch_size=4))
    assert len(whole) == 22
    assert len(first.dataset("train", batch_size=4)) == 6
    again, _ = job(tmp_path)
    again.training.position.skip, again.training.position.resumes_loop = 2, True
    assert shades(again.dataset("train", batch_size=4)) == whole[8:]
    # Where there is no room for decoded pictures, the files are gone through once instead.
    monkeypatch.setattr(scratch, "MAX_BYTES", 0)
    (tmp_path / "small").mkdir()
    small, worker = job(tmp_path / "small", pictures())
    assert shades(small.dataset("train", batch_size=4)) == whole
    assert all(path in worker.said[-1].text for path in BAD)


def test_sounds_are_left_out_too(tmp_path: Path) -> None:
    files = {f"train/{label}/{n}.flac": flac() for label in "xy" for n in range(4)}
    files["train/x/bad.flac"] = flac()[:3000]
    files["train/y/nan.wav"] = not_a_number()
    context, worker = job(tmp_path, files)
    sounds, labels = context.arrays("train", seconds=0.5)
    assert (len(sounds), len(labels)) == (8, 8)
    assert sounds.any(1).all()
    assert "train/x/bad.flac cannot be decoded: " in worker.said[-1].text
    assert (
        "train/y/nan.wav cannot be decoded: it holds samples that are no numbers (NaN or infinite), the first after "
        "0.03 s" in worker.said[-1].text
    )


def test_where_half_of_a_split_cannot_be_decoded_something_else_is_wrong(tmp_path: Path) -> None:
    cut = tuple(f"train/{label}/{n:02}.png" for label in "ab" for n in range(6))
    context, _ = job(tmp_path, pictures(cut))
    with pytest.raises(ExamplesUnreadable) as refused:
        context.dataset("train", batch_size=4)
    assert str(refused.value).startswith(
        "12 of the 24 examples of split 'train' cannot be decoded, half of them or more: train/a/00.png cannot be read"
    )
    assert str(refused.value).endswith("; … and 9 more")


@pytest.mark.parametrize(
    ("mode", "white", "channels"),
    [("RGBA", (9, 9, 9, 0), 3), ("LA", (9, 0), 3), ("RGB", (255, 255, 255), 3), ("L", (255,), 1)],
)
def test_what_is_transparent_shows_white_and_never_gives_the_network_a_fourth_channel(
    tmp_path: Path, mode: str, white: tuple[int, ...], channels: int
) -> None:
    files = {path: png(9, mode) for path in pictures()}
    out = io.BytesIO()
    Image.new(mode, (6, 6), white).save(out, "PNG")
    files["train/a/00.png"] = out.getvalue()
    context, _ = job(tmp_path, files)
    assert context.image_shape() == (6, 6, channels)
    images, _ = context.arrays("train")
    assert images.shape == (24, 6, 6, channels)
    seen = {context.example_path("train", row): set(image.ravel().tolist()) for row, image in enumerate(images)}
    assert seen.pop("train/a/00.png") == {255}
    assert all(shade == {9} for shade in seen.values())
