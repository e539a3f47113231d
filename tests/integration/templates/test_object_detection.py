"""The template on pictures with rectangles, what it serves, and its evaluation; one training for all."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from modelyard.job.trial import Trial, prepare_dataset
from modelyard.sdk import gallery
from modelyard.templates.picture_changes import Changes
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import refused
from tests.integration.templates.evaluations import run
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

SIDE = 32
SHORT: dict[str, Any] = {"epochs": 16, "batch_size": 8, "learning_rate": 0.01, "width": 8}
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


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "dataset"
    prepare_dataset(folder, scenes({"train": 160, "test": 32}))
    return folder


@pytest.fixture(scope="module")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = try_package(SHIPPED / "object-detection", tmp_path_factory.mktemp("trained"), dataset=dataset, **SHORT)
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def served(trained: Trial) -> Any:
    return tf.saved_model.load(str(trained.model))


def test_objects_are_found_and_named_in_the_pixels_of_whatever_picture_is_given(served: Any) -> None:
    data, ((box, _), _) = scene(7)
    large = io.BytesIO()
    with Image.open(io.BytesIO(data)) as small:
        small.resize((3 * SIDE, 2 * SIDE), Image.Resampling.NEAREST).save(large, "PNG")
    answer = served.signatures["encoded"](image_bytes=tf.constant([data, large.getvalue()]))
    for at, scale in enumerate(([1, 1, 1, 1], [3, 2, 3, 2])):
        labels = answer["labels"][at].numpy().tolist()
        assert {b"red", b"green"} <= set(labels)
        found = answer["boxes"][at, labels.index(b"red")].numpy()
        true = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]]) * scale
        assert np.abs(found - true).max() < 4 * max(scale)
    there = answer["scores"].numpy() > 0
    assert (answer["boxes"].numpy()[~there] == -1).all()
    assert set(answer["labels"].numpy()[~there].tolist()) == {b""}
    assert (np.diff(answer["scores"].numpy(), axis=1) <= 0).all()


def test_what_is_unsure_is_answered_as_a_candidate_only(served: Any) -> None:
    picture = tf.io.decode_png(scene(8)[0], 3)[tf.newaxis]
    sure, all_of = (
        served.signatures[name](image=picture)["scores"].numpy() for name in ("serving_default", "candidates")
    )
    assert sure[sure > 0].min() >= 0.3
    assert (all_of > 0).sum() > (sure > 0).sum()


def test_training_has_said_its_figure_and_what_it_learnt_from(trained: Trial) -> None:
    assert trained.metrics["val_map50"] > 0.6
    assert "288 boxes on 160 images; on 16 of them there is nothing" in trained.printed


def test_an_evaluation_has_each_class_with_its_interval_and_the_worst_images_drawn(
    trained: Trial, dataset: Path, tmp_path: Path
) -> None:
    found = run(tmp_path, dataset, trained.model)
    assert (found["kind"], found["signature"], found["examples"]) == ("detection", "candidates", 32)
    assert found["metrics"]["map50"] == pytest.approx(trained.metrics["val_map50"], abs=1e-6)
    assert found["floors"]["map50"]["value"] < 0.3
    assert all(each["value"] < found["metrics"]["map50"] for each in found["controls"])
    assert [each["name"] for each in found["classes"]] == ["red", "green"]
    assert all(each["ap50_low"] <= each["ap50"] <= each["ap50_high"] for each in found["classes"])
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "mAP@.5" in page
    assert page.count("<svg class=boxes") == len(found["worst"]) >= 4
    assert page.count('class="missed"') == sum(len(each["missed"]) for each in found["worst"]) >= 4
    assert page.count('class="wrong"') == sum(not box["right"] for each in found["worst"] for box in each["found"])


@pytest.mark.parametrize("mirror", [False, True])
def test_boxes_move_grow_and_are_mirrored_with_their_pictures(mirror: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHIPPED / "object-detection"))
    from box_changes import moved

    side, count = 96, 24
    pixels = np.zeros((count, side, side, 3), np.uint8)
    pixels[:, 30:50, 40:70] = 255
    boxes = tf.constant(np.tile([[40, 30, 70, 50]], (count, 1, 1)), tf.float32)
    image, factor, shift = Changes(3, mirror=mirror)(tf.constant(pixels))
    edges, labels = moved(boxes, tf.zeros((count, 1), tf.int32), factor, shift, side, side)
    assert {*np.sign(factor[:, 0].numpy())} == ({-1.0, 1.0} if mirror else {1.0})
    for at in range(count):
        assert int(labels[at, 0]) == 0
        bright = np.argwhere(image[at].numpy().max(-1) > 110)
        found = np.concatenate([bright.min(0)[::-1], bright.max(0)[::-1] + 1])
        assert np.abs(found - edges[at, 0].numpy()).max() <= 1


def test_images_without_any_box_are_refused_in_words(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "empty", scenes({"train": 8, "test": 8}, empty=True))
    error = refused("object-detection", tmp_path / "empty")
    assert str(error).startswith("none of the 8 images of split 'train' has a box on it")


def test_images_that_are_too_small_are_refused_in_words(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "few", scenes({"train": 8, "test": 8}))
    error = refused("object-detection", tmp_path / "few", image_size=16)
    assert "images of 16 × 16 pixels are too small" in str(error)
    assert getattr(error, "field", "") == "parameters.image_size"


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_digits_on_video_frames_are_found_after_a_few_epochs(tmp_path: Path) -> None:
    folder = gallery.find("digit-scenes").fetch()
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    prepare_dataset(tmp_path / "dataset", files)
    done = try_package(SHIPPED / "object-detection", tmp_path, dataset=tmp_path / "dataset", epochs=3)
    assert done.status == 0, done.printed
    found = run(tmp_path, tmp_path / "dataset", done.model, split="test")
    assert found["metrics"]["map50"] > 0.3 > 0.1 > found["controls"][0]["value"]
