"""Whole jobs as child processes; each costs a TensorFlow import."""

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.messages import (
    Checkpoint,
    ChildMessage,
    Exported,
    Failed,
    FailureClass,
    Hello,
    Metric,
    Prepared,
    Progress,
    Text,
)
from modelyard.templates.specs import get_template
from tests.integration.job.child import Child, code, idx_description, only, prepare, prepare_idx, strokes, variables

pytestmark = pytest.mark.timeout(300)

PARAMETERS = get_template("image-classification").complete(
    {"epochs": 2, "batch_size": 32, "learning_rate": 0.003, "image_size": 0}
)


def test_the_template_learns_reports_and_exports(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(600), strokes(100, seed=1), 4)
    with Child(tmp_path, parameters=PARAMETERS) as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "log").read_text()
    assert heard[0] == Hello(tf.__version__, keras.__version__, ("cpu",))
    assert only(heard, Prepared) == [Prepared(steps_per_epoch=19, total_steps=38, batch_size=32)]
    ends = [checkpoint.step for checkpoint in only(heard, Checkpoint)]
    assert ends == [38], "an epoch of less than ten seconds is no checkpoint, the last one is"
    assert [(metric.step, metric.name) for metric in only(heard, Metric)] == [
        (step, name) for step in (19, 38) for name in ("accuracy", "loss", "val_accuracy", "val_loss")
    ]
    last = only(heard, Progress)[-1]
    assert (last.step, last.total_steps, last.epoch, last.epochs) == (38, 38, 2, 2)
    assert only(heard, Exported)[0].metrics["val_accuracy"] > 0.95
    assert isinstance(heard[-1], Exported)
    check_model(tmp_path / "model")


def check_model(folder: Path) -> None:
    """What a model version's tree holds, and that it answers as its golden answers say."""
    about = json.loads((folder / "modelyard.model.json").read_text())
    assert (about["task"], about["classes"]) == ("image-classification", ["0", "1", "2", "3"])
    assert (folder / "assets/classes.txt").read_text().split() == about["classes"]
    golden = np.load(folder / about["golden"], allow_pickle=False)
    loaded = tf.saved_model.load(str(folder))
    for signature, tensors in about["signatures"].items():
        inputs = {name: tf.constant(golden[f"{signature}/inputs/{name}"]) for name in tensors["inputs"]}
        answers = loaded.signatures[signature](**inputs)
        assert set(answers) == set(tensors["outputs"])
        np.testing.assert_allclose(answers["probabilities"], golden[f"{signature}/outputs/probabilities"], atol=1e-6)
    np.testing.assert_array_equal(
        golden["encoded/outputs/label"].astype(str),
        golden["serving_default/outputs/probabilities"].argmax(1).astype(str),
    )
    assert (golden["serving_default/outputs/probabilities"].argmax(1) == golden["labels"]).mean() > 0.9
    assert len(list(tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests")))) == 2


FOUNDING = """
from modelyard.job import context
from keras import Sequential
from keras.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D

x_train, y_train = context.arrays("train")
model = Sequential()
model.add(Input((28, 28, 1)))
model.add(Conv2D(8, (3, 3), activation='relu'))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(len(context.classes), activation='softmax'))
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(x_train, y_train, epochs=2, verbose=0)
context.report(done=1.0)
context.export(model)
"""


def done(tmp_path: Path, script: str) -> list[ChildMessage]:
    with Child(tmp_path, code=code(tmp_path, script), entry="train") as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "log").read_text()
    return heard


def test_a_plain_script_with_arrays_runs_and_its_fit_is_a_jobs(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(300), strokes(50, seed=1), 4)
    heard = done(tmp_path, FOUNDING)
    assert [checkpoint.step for checkpoint in only(heard, Checkpoint)] == [20]
    assert Metric(20, "done", 1.0) in heard
    check_model(tmp_path / "model")


JUDGED = """
import keras
from modelyard.job import context

class Judged(keras.callbacks.Callback):
    batches = 0

    def on_test_batch_end(self, batch, logs=None):
        self.batches += 1

judged = Judged()
model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(
    *context.arrays("train"), batch_size=20, validation_data=context.arrays("test"), callbacks=[judged], verbose=0
)
context.report(judged=judged.batches)
context.export(model)
"""


def test_what_judges_comes_in_batches_as_large_as_those_of_the_training(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(100), strokes(60, seed=1), 4)
    heard = done(tmp_path, JUDGED)
    assert Metric(5, "judged", 3.0) in heard


def png(values: Any) -> bytes:
    data: bytes = tf.io.encode_png(values).numpy()
    return data


def test_folders_of_pngs_and_jpegs_of_any_size_are_resized_alike_for_training_and_serving(tmp_path: Path) -> None:
    images, labels = strokes(200)
    files = {}
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        picture = np.repeat(image[..., np.newaxis], 3, axis=-1)
        if number % 2:
            larger = tf.cast(tf.image.resize(picture, (40 + number % 7, 56)), tf.uint8)
            data, ending = tf.io.encode_jpeg(larger, quality=95).numpy(), "jpeg"
        else:
            data, ending = png(picture), "png"
        files[f"{'train' if number < 160 else 'test'}/{label}/{number:03}.{ending}"] = data
    description = {
        **idx_description(160, 40, 4),
        "layout": "class_folders",
        "split_rule": "folder",
        "splits": {"train": {"examples": 160}, "test": {"examples": 40}},
    }
    description["features"]["image"] |= {"shape": [None, None, 3], "encoding": "png"}
    prepare(tmp_path / "inputs/dataset", files, description)
    with Child(tmp_path, parameters={**PARAMETERS, "epochs": 5, "image_size": 24}) as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "log").read_text()
    assert only(heard, Exported)[0].metrics["val_accuracy"] > 0.9
    loaded = tf.saved_model.load(str(tmp_path / "model")).signatures["encoded"]
    shown = [(path.split("/")[1], data) for path, data in files.items() if path.startswith("test/")]
    answers = loaded(image_bytes=tf.constant([data for _, data in shown]))
    right = [label.decode() == truth for label, (truth, _) in zip(answers["label"].numpy(), shown, strict=True)]
    assert np.mean(right) > 0.9


def ending(tmp_path: Path, **spec: Any) -> tuple[int, list[ChildMessage], Failed]:
    with Child(tmp_path, **spec) as child:
        status, heard = child.finish()
    assert isinstance(heard[-1], Failed), (tmp_path / "log").read_text()
    return status, heard, heard[-1]


def test_a_file_that_is_no_image_inside_is_left_out_and_named_and_the_rest_goes_on_exactly(tmp_path: Path) -> None:
    images, labels = strokes(40)
    files = {
        f"train/{label}/{n}.png": png(image[..., None])
        for n, (image, label) in enumerate(zip(images, labels, strict=True))
    }
    broken = sorted(files)[20]
    files[broken] = files[broken][:60]
    description = {
        **idx_description(40, 0, 4),
        "layout": "class_folders",
        "split_rule": "folder",
        "splits": {"train": {"examples": 40}},
    }
    description["features"]["image"]["encoding"] = "png"
    whole, again, kept = (tmp_path / name for name in ("whole", "again", "kept"))
    prepare(whole / "inputs/dataset", files, description)
    shutil.copytree(whole / "inputs/dataset", again / "inputs/dataset")

    def keep_first(message: ChildMessage) -> bool:
        if isinstance(message, Checkpoint) and not kept.exists():
            shutil.copytree(message.path, kept)
        return False

    how: dict[str, Any] = {"parameters": {**PARAMETERS, "batch_size": 8}, "checkpoint_every_s": 1e-6}
    with Child(whole, **how) as child:
        status, heard = child.finish(keep_first)
    assert status == 0, (whole / "log").read_text()
    assert only(heard, Prepared) == [Prepared(steps_per_epoch=5, total_steps=10, batch_size=8)]
    (said,) = only(heard, Text)
    assert said.name == "left out of train"
    assert f"{broken} cannot be read as an image of (28, 28, 1): " in said.text
    step = only(heard, Checkpoint)[0].step
    assert step % 5, "in the middle of an epoch"
    with Child(again, **how, attempt=2, resume=str(kept), resume_step=step) as child:
        status, _ = child.finish()
    assert status == 0, (again / "log").read_text()
    ends = [variables(folder / "checkpoints/10") for folder in (whole, again)]
    assert all(np.array_equal(one, other) for one, other in zip(*ends, strict=True))


DIVERGES = """
import keras

from modelyard.job import context


class Burst(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            self.model.optimizer.learning_rate = float("nan")


def main():
    model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.001), loss)
    model.fit(context.dataset("train", batch_size=20), epochs=3, verbose=0, callbacks=[Burst()])
    context.export(model)
"""


def test_a_loss_that_is_no_number_ends_the_job_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(100), strokes(20, seed=1), 4)
    status, heard, failed = ending(tmp_path, code=code(tmp_path, DIVERGES), checkpoint_every_s=1e-6)
    assert status == 1
    assert failed.failure_class is FailureClass.DIVERGED
    last = only(heard, Checkpoint)[-1].step
    kept = variables(tmp_path / f"checkpoints/{last}")
    assert all(np.isfinite(array).all() for array in kept if array.dtype.kind == "f")
    assert not (tmp_path / "model").exists()


BROKEN = """
from modelyard.job import context


def prepare(batch):
    return batch.no_such_thing


def main():
    for images, labels in context.dataset("train", batch_size=8):
        prepare(images)
"""


def test_an_error_in_the_code_comes_with_its_own_frames_only(tmp_path: Path) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(20), strokes(20, seed=1), 4)
    status, _, failed = ending(tmp_path, code=code(tmp_path, BROKEN))
    assert status == 1
    assert failed.failure_class is FailureClass.USER_CODE
    assert failed.message.startswith("AttributeError: ")
    assert 'File "train.py", line 6, in prepare' in failed.traceback
    assert "site-packages" not in failed.traceback
    assert "modelyard" not in failed.traceback


@pytest.mark.parametrize(
    ("text", "entry", "failure", "words"),
    [
        ("def main(): pass", "train:main", FailureClass.EXPORT_INVALID, "ended without context.export(model)"),
        ("def main(): pass", "train:mian", FailureClass.USER_CODE, "train.py has no function 'mian'"),
        ("import sys; sys.exit(3)", "train", FailureClass.USER_CODE, "sys.exit(3)"),
    ],
)
def test_code_that_ends_without_a_model_is_told_why(
    tmp_path: Path, text: str, entry: str, failure: FailureClass, words: str
) -> None:
    prepare_idx(tmp_path / "inputs/dataset", strokes(20), strokes(20, seed=1), 4)
    status, _, failed = ending(tmp_path, code=code(tmp_path, text), entry=entry)
    assert (status, failed.failure_class) == (1, failure)
    assert words in failed.message
