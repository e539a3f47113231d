"""The template on pictures with rectangles, what it serves, and its evaluation; one training for all."""

import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from modelyard.job.errors import ModelUnsuitable
from modelyard.job.trial import Trial, prepare_dataset
from modelyard.sdk import gallery
from modelyard.templates.evaluate.average_precision import Boxes, judged, true_boxes
from modelyard.templates.picture_changes import Changes
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import refused, samples
from tests.integration.templates.evaluations import run, save
from tests.support.scenes import SIDE, scene, scenes
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

SHORT: dict[str, Any] = {"epochs": 16, "batch_size": 8, "learning_rate": 0.01, "width": 8}


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


def test_while_it_learns_it_says_what_it_finds_on_a_few_held_out_pictures(trained: Trial) -> None:
    told = samples(trained.printed)
    assert len(told) == SHORT["epochs"]
    there = [sorted(true.split(", ")) for _, _, true in told[-1]]
    found = [sorted(re.findall(r"red|green|nothing", said)) for _, said, _ in told[-1]]
    assert len(there) == 4
    assert sum(said == true for said, true in zip(found, there, strict=True)) >= 3


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


PICTURE = tf.TensorSpec((None, SIDE, SIDE, 3), tf.uint8, "image")


def by_colour(*labels: Any) -> Any:
    """Where it is red, and where green; `labels` is what these are called."""

    def answer(image: Any) -> Any:
        bright = tf.transpose(tf.cast(image[..., :2] > 150, tf.int32), (0, 3, 1, 2))
        ends = []
        for axis in (2, 3):
            across = tf.reduce_max(bright, axis)
            first, last = tf.argmax(across, 2), SIDE - tf.argmax(tf.reverse(across, (2,)), 2)
            ends.append((first, last))
        (left, right), (top, bottom) = ends
        count = tf.shape(image)[0]
        return {
            "boxes": tf.cast(tf.stack([left, top, right, bottom], 2), tf.float32),
            "labels": tf.repeat(tf.constant([labels]), count, 0),
            "scores": tf.fill((count, 2), 0.9),
        }

    return answer


def test_labels_that_are_whole_numbers_are_places_among_the_models_classes(dataset: Path, tmp_path: Path) -> None:
    named = run(tmp_path, dataset, save(tmp_path / "named", by_colour("red", "green"), PICTURE, names=("green", "red")))
    assert named["metrics"]["map50"] > 0.8
    assert named["matched_by"] == "name"
    numbered = run(tmp_path, dataset, save(tmp_path / "numbered", by_colour(1, 0), PICTURE, names=("green", "red")))
    assert (numbered["metrics"], numbered["matched_by"]) == (named["metrics"], "name")
    plain = run(tmp_path, dataset, save(tmp_path / "plain", by_colour(0, 1), PICTURE, names=None))
    assert (plain["metrics"], plain["matched_by"]) == (named["metrics"], "position")
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "its answers were taken to be in the dataset's order" in page


def test_a_report_of_boxes_names_the_classes_that_only_one_side_has(dataset: Path, tmp_path: Path) -> None:
    found = run(tmp_path, dataset, save(tmp_path / "model", by_colour(0, 1), PICTURE, names=("red", "zebra")))
    assert (found["unknown_to_model"], found["unknown_to_dataset"]) == (["green"], ["zebra"])
    page = re.sub("<.*?>", "", (tmp_path / "outputs/report/report.html").read_text())
    assert "The model does not know green: all objects of these count as missed." in page
    assert "The dataset does not have zebra, which the model may find; means over classes leave these out." in page


def test_what_cannot_be_judged_as_a_detector_is_refused_in_words(dataset: Path, tmp_path: Path) -> None:
    strange = save(tmp_path / "strange", by_colour(7, 9), PICTURE, names=None)
    says = "no label that the model answers is a class: it answers 7, 9; the classes are red, green"
    with pytest.raises(ModelUnsuitable, match=says):
        run(tmp_path, dataset, strange)

    def of_files(image: Any) -> Any:
        return by_colour("red", "green")(tf.zeros((tf.shape(image)[0], SIDE, SIDE, 3), tf.uint8))

    files = save(tmp_path / "files", of_files, tf.TensorSpec((None,), tf.string, "image"), names=None)
    with pytest.raises(ModelUnsuitable, match=r"takes 'image' \(string \[any\]\); a model is judged by boxes in the"):
        run(tmp_path, dataset, files)


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


def decoded_targets(shape: tuple[int, int], classes: int, truth: list[Boxes]) -> list[Boxes]:
    """What a network that answers each picture's targets without a fault would find."""
    from heatmaps import GEOMETRY, STRIDE, boxes_of, geometry, peaks

    height, width = (-(-side // STRIDE) for side in shape)
    found = []
    for each in truth:
        edges, labels = tf.constant(each.edges[None]), tf.constant(each.labels[None], tf.int32)
        heat = tf.math.log(tf.clip_by_value(peaks(edges, labels, height, width, classes), 1e-6, 1 - 1e-6))
        middles = tf.cast((edges[0, :, :2] + edges[0, :, 2:]) / (2 * STRIDE), tf.int32)[:, ::-1]
        sized = tf.tensor_scatter_nd_update(tf.zeros((height, width, GEOMETRY)), middles, geometry(edges)[0])
        boxes, kinds, scores = boxes_of(heat, sized[None], shape, most=100, least=0.3, shared=0.5)
        there = np.flatnonzero(kinds[0] >= 0)
        found.append(Boxes(boxes[0].numpy()[there], kinds[0].numpy()[there].astype(np.int64), scores[0].numpy()[there]))
    return found


def test_what_is_to_be_learnt_is_the_true_boxes_to_the_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHIPPED / "object-detection"))
    truth = [boxes_in(scene(number)[1]) for number in range(40)]
    found = decoded_targets((SIDE, SIDE), 2, truth)
    assert judged(2, zip(truth, found, strict=True)).metrics() == {"map50": 1.0, "map75": 1.0, "map": 1.0}


def boxes_in(listed: Sequence[tuple[Sequence[float], int]]) -> Boxes:
    """COCO's [x, y, width, height], with their classes."""
    edges = np.array([[x, y, x + wide, y + high] for (x, y, wide, high), _ in listed], np.float32).reshape(-1, 4)
    return true_boxes(edges, np.array([kind for _, kind in listed], np.int64))


@pytest.fixture(scope="module")
def digit_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gallery's, prepared."""
    source, folder = gallery.find("digit-scenes").fetch(), tmp_path_factory.mktemp("digits") / "dataset"
    prepare_dataset(folder, {each.relative_to(source).as_posix(): each.read_bytes() for each in source.rglob("*.*")})
    return folder


def digits_in_test() -> dict[str, Boxes]:
    """By the picture's name."""
    listed = json.loads((gallery.find("digit-scenes").fetch() / "test.json").read_text())
    boxes: dict[int, list[tuple[list[float], int]]] = {each["id"]: [] for each in listed["images"]}
    for each in listed["annotations"]:
        boxes[each["image_id"]].append((each["bbox"], each["category_id"]))
    return {each["file_name"]: boxes_in(boxes[each["id"]]) for each in listed["images"]}


@pytest.mark.soak
def test_a_perfect_detector_of_digits_on_video_frames_has_an_average_precision_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(SHIPPED / "object-detection"))
    truth = list(digits_in_test().values())
    assert judged(10, zip(truth, truth, strict=True)).metrics() == {"map50": 1.0, "map75": 1.0, "map": 1.0}
    found = decoded_targets((96, 96), 10, truth)
    assert judged(10, zip(truth, found, strict=True)).metrics()["map50"] > 0.995


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_digits_on_video_frames_are_found_after_a_few_epochs(digit_scenes: Path, tmp_path: Path) -> None:
    done = try_package(SHIPPED / "object-detection", tmp_path, dataset=digit_scenes, epochs=3)
    assert done.status == 0, done.printed
    found = run(tmp_path, digit_scenes, done.model, split="test")
    print(found["metrics"], found["controls"], found["floors"])
    assert found["metrics"]["map50"] > 0.3 > 0.1 > found["controls"][0]["value"]


@pytest.mark.soak
def test_classes_that_are_out_of_order_leave_boxes_without_their_names(
    dataset: Path, trained: Trial, tmp_path: Path
) -> None:
    done = try_package(SHIPPED / "object-detection", tmp_path, dataset=dataset, **SHORT, shuffle_classes=True)
    assert done.status == 0, done.printed
    assert done.metrics["val_map50"] < trained.metrics["val_map50"] - 0.2
