"""The profile of a small dataset of each modality, as its process makes it; bad files are named, the rest goes on.

All in this process: it is the program's own functions that run, on datasets prepared as a worker prepares them.
"""

import base64
import io
import json
import math
import re
import shutil
import struct
import wave
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from PIL import Image

from modelyard.api.catalog.v1 import statistics_pb2
from modelyard.catalog.servicers.dataset_messages import found_of
from modelyard.job.messages import JobSpec
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options, clips, pictures
from modelyard.templates.profile.__main__ import main
from tests.support.pictures import picture
from tests.support.sounds import wav
from tests.support.videos import claiming, of, turned, video

VERSION = "projects/default/datasets/d/versions/2"


class Profiled:
    """What the program has left."""

    def __init__(self, folder: Path) -> None:
        text = (folder / "outputs/profile/profile.json").read_text()
        self.statistics = json_format.Parse(text, statistics_pb2.Statistics())
        found_of(self.statistics, "statistics")  # as the catalog checks it
        self.found: dict[str, Any] = json.loads(text)
        self.page = (folder / "outputs/profile/page.html").read_text()
        self.unreadable = {each.origin: each.reason for each in self.statistics.undecodable.examples}

    def feature(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.found["features"] if each["name"] == name)
        return found


def profile(folder: Path, files: Mapping[str, bytes], earlier: Sequence[Path] = (), **options: Any) -> Profiled:
    """`earlier` are the folders of the versions 1, 2, …"""
    dataset, work = folder / "dataset", folder / "work"
    prepare_dataset(dataset, files, options=Options(**options))
    (work / "inputs/earlier").mkdir(parents=True)
    for number, each in enumerate(earlier, 1):
        shutil.copytree(each / "work/outputs/profile", work / f"inputs/earlier/{number}")
    spec = JobSpec(
        job="projects/default/jobs/p",
        attempt=1,
        code="",
        entry="",
        fd=-1,
        kind="profile",
        dataset=str(dataset),
        dataset_version=VERSION,
        earlier_versions=tuple(f"projects/default/datasets/d/versions/{number + 1}" for number in range(len(earlier))),
    )
    (work / "job.json").write_text(spec.to_json())
    assert main(work / "job.json") == 0
    return Profiled(work)


@pytest.fixture(autouse=True)
def _stay_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The program goes into its work folder and does not listen to Ctrl-C."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)


def test_images_are_counted_shown_and_the_bad_ones_named(tmp_path: Path) -> None:
    good = {
        f"train/{name}/{number}.png": picture(number + 10 * at) for at, name in enumerate("ab") for number in range(4)
    }
    copied = {"train/b/again.png": good["train/b/0.png"], "test/a/known.png": good["train/a/1.png"]}
    bad = {
        "train/a/cut.png": picture(99, size=(64, 64))[:-300],
        "train/a/jpeg.png": picture(98, format="JPEG"),
        "train/b/colour.png": picture(97, mode="RGB", size=(5, 9)),
        "train/b/empty.png": b"",
        "train/b/text.png": b"this is no picture at all",
        "train/b/huge.png": _png_that_claims(10_000, 10_000),
    }
    found = profile(tmp_path, {**good, **copied, **bad})
    assert [(split.name, split.example_count, split.undecodable_count) for split in found.statistics.splits] == [
        ("train", 12, 1),
        ("test", 1, 0),
    ]
    assert "does not decode" in found.unreadable["train/a/cut.png"]
    assert found.unreadable["train/b/empty.png"] == "is empty"
    assert "it is no PNG, JPEG, WebP, GIF or BMP image" in found.unreadable["train/b/text.png"]
    assert found.unreadable["train/b/huge.png"].startswith("is 10,000 × 10,000 pixels; at most 67 million are decoded")
    image = found.feature("image")
    assert image["count"] == 12
    assert {tuple(each["shape"]): each["count"] for each in image["shapes"]} == {(6, 8, 1): 11, (9, 5, 3): 1}
    assert {each["value"]: each["count"] for each in image["encodings"]} == {"png": 11, "jpeg": 1}
    assert found.statistics.duplicates.example_count == 1
    assert list(found.statistics.duplicates.groups[0].origins) == ["train/b/0.png", "train/b/again.png"]
    (leak,) = found.statistics.leakages
    assert (leak.split, leak.other_split, leak.example_count) == ("test", "train", 1)
    assert (leak.samples[0].origin, leak.samples[0].other_origin) == ("test/a/known.png", "train/a/1.png")
    said = "\n".join(found.statistics.findings)
    assert "The split test has no example of label b." in said
    assert "train/a/jpeg.png is JPEG" in said
    assert found.page.count("<img") == 11, "every image of train that decodes"
    assert "<script" not in found.page
    assert 'src="http' not in found.page


def test_pixels_are_those_of_the_images(tmp_path: Path) -> None:
    pictures = [picture(number) for number in range(6)]
    found = profile(tmp_path, {f"train/{'ab'[at % 2]}/{at}.png": data for at, data in enumerate(pictures)})
    pixels = np.concatenate([np.asarray(Image.open(io.BytesIO(data))).ravel() for data in pictures])
    number = found.feature("image")["number"]
    assert number["mean"] == pytest.approx(pixels.mean())
    assert number["standardDeviation"] == pytest.approx(pixels.std())


def test_examples_of_earlier_versions_test_splits_are_found_in_train(tmp_path: Path) -> None:
    train = {f"train/{'ab'[at % 2]}/{at}.png": picture(at) for at in range(6)}
    folders = [tmp_path / str(number) for number in (1, 2, 3)]
    profile(folders[0], {**train, "test/a/x.png": picture(50), "test/b/y.png": picture(51)})
    profile(folders[1], {**train, "test/a/x.png": picture(52), "test/b/y.png": picture(53)})
    moved = {"train/a/x.png": picture(50), "train/b/y.png": picture(53), "test/b/y.png": picture(54)}
    found = profile(folders[2], {**train, **moved}, earlier=folders[:2])
    leaks = {leak.other_version.rpartition("/")[2]: leak for leak in found.statistics.leakages}
    assert {(leak.split, leak.other_split) for leak in leaks.values()} == {("train", "test")}
    origins = {number: [sample.origin for sample in leak.samples] for number, leak in leaks.items()}
    assert origins == {"1": ["train/a/x.png"], "2": ["train/b/y.png"]}


def test_a_table_has_its_missing_values_constants_and_copies_said(tmp_path: Path) -> None:
    rows = [
        f"{number % 7}.5,{'red' if number % 3 else ''},same,{'yes' if number % 2 else 'no'}" for number in range(60)
    ]
    table = "size,colour,always,answer\n" + "\n".join([*rows, rows[0]]) + "\n"
    found = profile(
        tmp_path, {"train.csv": table.encode(), "test.csv": table.encode()[:200].rsplit(b"\n", 1)[0]}, target="answer"
    )
    colour = found.feature("colour")
    assert colour["missingCount"] + colour["count"] == sum(each["exampleCount"] for each in found.found["splits"])
    assert colour["distinctCount"] == 1
    assert found.feature("size")["number"]["maximum"] == 6.5
    said = "\n".join(found.statistics.findings)
    assert "always is the same in every example." in said
    assert "colour is missing in " in said
    assert found.statistics.duplicates.example_count > 0
    assert any(leak.split == "test" for leak in found.statistics.leakages)
    assert "train.csv:2" in found.page


def test_texts_have_their_lengths_and_words(tmp_path: Path) -> None:
    lines = [f"{'good good day' if number % 2 else 'bad day'} {number}\t{number % 2}" for number in range(20)]
    found = profile(tmp_path, {"train.tsv": ("text\tlabel\n" + "\n".join(lines) + "\n").encode()}, target="label")
    text = found.feature("text")
    words = {each["value"]: each["count"] for each in text["topValues"]}
    total = sum(each["exampleCount"] for each in found.found["splits"])
    assert words["day"] == total == 20
    assert words["good"] == 20
    (characters, in_words) = text["lengths"]
    assert (characters["unit"], characters["minimum"]) == ("characters", len("bad day 0"))
    assert (in_words["unit"], in_words["maximum"]) == ("words", 4)


def test_sounds_are_decoded_and_the_bad_ones_named(tmp_path: Path) -> None:
    import soundfile

    nan = io.BytesIO()
    soundfile.write(nan, np.array([0.1] * 400 + [math.nan] + [0.1] * 400, np.float32), 8000, "FLOAT", format="WAV")
    found = profile(
        tmp_path,
        {
            **{f"train/{'ab'[at % 2]}/{at}.wav": wav(800 + 80 * at, seed=at) for at in range(4)},
            "train/a/silent.wav": _wav_of(np.zeros(800, np.int16)),
            "train/a/nan.wav": nan.getvalue(),
        },
    )
    assert found.unreadable["train/a/nan.wav"] == (
        "holds samples that are no numbers (NaN or infinite), the first after 0.05 s"
    )
    audio = found.feature("audio")
    assert audio["count"] == 5
    (seconds,) = audio["lengths"]
    assert (seconds["minimum"], seconds["maximum"]) == (0.1, 0.13)
    assert {each["value"]: each["count"] for each in audio["topValues"]} == {"8,000 Hz, 1 channel": 5}
    assert any("silent" in sentence for sentence in found.statistics.findings)
    assert found.page.count('aria-label="Waveform"') == 5


def test_videos_are_decoded_and_shown_as_strips(tmp_path: Path) -> None:
    good = {f"train/{'ab'[at % 2]}/{at}.gif": _gif(at, frames=8) for at in range(4)}
    found = profile(tmp_path, {**good, "train/a/still.gif": _gif(7, frames=1)})
    video = found.feature("video")
    assert video["count"] == 5
    lengths = {each["unit"]: each for each in video["lengths"]}
    assert (lengths["frames"]["minimum"], lengths["frames"]["maximum"]) == (1, 8)
    assert {tuple(each["shape"]) for each in video["shapes"]} == {(12, 16, 3)}
    assert found.page.count("frame 6 of 6") == 4


def test_videos_of_a_phone_held_upright_are_shown_upright(tmp_path: Path) -> None:
    pixels = np.zeros((2, 48, 64, 3), np.uint8)
    pixels[:, :24, :32] = 240
    phone = turned(of(pixels, "mp4"), 0, 1, -1, 0)
    found = profile(tmp_path, {f"train/{label}/{label}.mp4": phone for label in "ab"})
    video = found.feature("video")
    assert [each["shape"] for each in video["shapes"]] == [[64, 48, 3]]
    lengths = {each["unit"]: each["maximum"] for each in video["lengths"]}
    assert (lengths["width"], lengths["height"]) == (48, 64)
    frame = re.search(r"data:image/jpeg;base64,([^\"]+)", found.page)
    assert frame
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(frame[1]))).convert("L"), int)
    assert shown == pytest.approx(np.rot90(pixels[0, :, :, 0], -1).astype(int), abs=60)


def test_videos_that_do_not_say_how_many_frames_they_have_are_counted_and_too_long_ones_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"train/{label}/{form}.{form}": video(form, 4) for label in "ab" for form in ("mp4", "webm")}
    monkeypatch.setattr(clips, "MAX_PIXELS", 5 * 64 * 48)
    found = profile(tmp_path, {**files, "train/a/long.webm": video("webm", 6)})
    (frames,) = (each for each in found.feature("video")["lengths"] if each["unit"] == "frames")
    assert (frames["minimum"], frames["maximum"], found.feature("video")["count"]) == (4, 4, 4)
    assert found.unreadable == {"train/a/long.webm": "has more than 5 frames of 64 × 48 pixels, too much to be decoded"}


def test_videos_whose_frames_are_larger_than_they_say_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"train/{label}/{form}.{form}": video(form, 4) for label in "ab" for form in ("mp4", "webm")}
    monkeypatch.setattr(pictures, "MAX_PIXELS", 300 * 256)
    lies = claiming(video("webm", 2, (320, 256)), (320, 256), (256, 256))
    assert profile(tmp_path, {**files, "train/b/lies.webm": lies}).unreadable == {
        "train/b/lies.webm": "does not decode: Invalid argument: a frame is damaged, or has more than 0 million pixels"
    }


def test_boxes_are_drawn_on_their_images(tmp_path: Path) -> None:
    annotations = {
        "images": [{"id": at, "file_name": f"{at}.png", "width": 40, "height": 30} for at in range(3)],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "bbox": [2, 3, 10, 8]},
            {"id": 2, "image_id": 0, "category_id": 2, "bbox": [20, 5, 12, 20]},
            {"id": 3, "image_id": 1, "category_id": 1, "bbox": [0, 0, 40, 30]},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    files = {f"train/{at}.png": picture(at, size=(40, 30), mode="RGB") for at in range(3)}
    held_out = {"images": annotations["images"][:1], "annotations": [], "categories": annotations["categories"]}
    found = profile(
        tmp_path,
        {
            **files,
            "test/0.png": picture(9, size=(40, 30), mode="RGB"),
            "train.json": json.dumps(annotations).encode(),
            "test.json": json.dumps(held_out).encode(),
        },
    )
    assert found.feature("boxes")["missingCount"] == 2
    assert {each["value"]: each["count"] for each in found.feature("labels")["topValues"]} == {"cat": 2, "dog": 1}
    assert found.page.count("<rect class=box") == 3
    assert ">dog</text>" in found.page


def test_boxes_of_which_there_are_none_are_said(tmp_path: Path) -> None:
    annotations = {
        "images": [{"id": at, "file_name": f"{at}.png", "width": 40, "height": 30} for at in range(3)],
        "annotations": [],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    files = {f"train/{at}.png": picture(at, size=(40, 30), mode="RGB") for at in range(3)}
    found = profile(tmp_path, {**files, "train.json": json.dumps(annotations).encode()})
    assert "labels has no example of any class." in found.statistics.findings
    assert found.feature("boxes")["missingCount"] == 3


def test_classes_beyond_those_that_are_listed_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"1,{at % 1100:04}\n" for at in range(1200))
    files = {"train.csv": f"x,kind\n{rows}".encode(), "test.csv": b"x,kind\n1,1050\n1,0000\n"}
    features = {"x": {"kind": "number"}, "kind": {"kind": "category", "role": "target"}}
    found = profile(tmp_path, files, target="kind", features=features)
    said = "\n".join(found.statistics.findings)
    assert re.search(r"test has no example of kind 0001, .* and 990 more, of the 1,000 most frequent classes\.", said)
    assert "940 more classes are in profile.json, 100 that are rarer are in the dataset only." in found.page


def test_interactions_have_their_items_counted_too(tmp_path: Path) -> None:
    rows = "".join(f"{at % 5},{at % 4},{1 + at % 3},{1_600_000_000 + at}\n" for at in range(40))
    items = "item,title,year\n" + "".join(f"{at},Film {at},{1990 + at}\n" for at in range(4))
    found = profile(tmp_path, {"train.csv": f"user,item,rating,time\n{rows}".encode(), "items.csv": items.encode()})
    assert found.feature("user")["distinctCount"] == 5
    assert {each["name"]: each["count"] for each in found.found["itemFeatures"]}["title"] == 4
    assert "2020-09-13" in found.page


def test_names_that_are_markup_stay_text(tmp_path: Path) -> None:
    files = {f"train/<b>{name}/{at}.png": picture(at) for at, name in enumerate("aabb")}
    page = profile(tmp_path, files).page
    assert "<b>a" not in page.replace("<b>&lt;b&gt;a", "")
    assert "&lt;b&gt;a" in page


def test_classes_that_a_split_lacks_and_uneven_ones_are_said(tmp_path: Path) -> None:
    rows = "".join(f"{at},{'rare' if at == 7 else 'usual'}\n" for at in range(50))
    said = profile(
        tmp_path, {"train.csv": f"size,kind\n{rows}".encode(), "test.csv": b"size,kind\n1.5,usual\n"}, target="kind"
    )
    assert "The split test has no example of kind rare." in said.statistics.findings
    assert "kind is uneven: 50 examples of usual, 1 of rare." in said.statistics.findings


def _png_that_claims(width: int, height: int) -> bytes:
    """A small picture whose header says that it is large."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    good = picture(1)
    return good[:12] + header + struct.pack(">I", zlib.crc32(header)) + good[33:]


def _wav_of(samples: "np.ndarray[Any, np.dtype[np.int16]]") -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def _gif(seed: int, frames: int) -> bytes:
    pictures = [Image.open(io.BytesIO(picture(100 * seed + at, size=(16, 12)))) for at in range(frames)]
    out = io.BytesIO()
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=100)
    return out.getvalue()
