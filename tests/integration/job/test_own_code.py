"""Code of one's own as whole jobs: the founding script, loops, reports, what a crash leaves."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.messages import (
    Checkpoint,
    Evaluated,
    Exported,
    Failed,
    FailureClass,
    Image,
    Metric,
    Prepared,
    Progress,
    Stopped,
    Text,
)
from modelyard.job.trial import make_dataset, try_package
from tests.integration.job.child import Child, code, only, variables

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[3]
FOUNDING_SCRIPT = ROOT / "deploy/examples/founding_script.py"
CUSTOM_LOOP = ROOT / "deploy/examples/custom_loop.py"
FOUNDING_LINES = """
model = Sequential()
model.add(Conv2D(32, (3, 3), activation='relu', input_shape=(28, 28, 1)))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(64, (3, 3), activation='relu'))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(64, activation='relu'))
model.add(Dense(10, activation='softmax'))
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['accuracy'])
model.fit(x_train, y_train, epochs=10)
"""


def test_the_founding_script_has_four_lines_more_than_the_founding_document() -> None:
    lines = [line for line in FOUNDING_SCRIPT.read_text().splitlines() if line.strip()]
    added = [line for line in lines if line not in FOUNDING_LINES and not line.startswith("from tensorflow.keras")]
    assert [line for line in FOUNDING_LINES.splitlines() if line] == [line for line in lines if line in FOUNDING_LINES]
    assert len(added) == 4


def test_the_founding_script_trains_and_what_it_serves_takes_pictures(tmp_path: Path) -> None:
    make_dataset(tmp_path / "inputs/dataset", (28, 28, 1), classes=10, examples=800)
    with Child(tmp_path, code=str(FOUNDING_SCRIPT.parent), entry=FOUNDING_SCRIPT.stem) as child:
        status, heard = child.finish()
    log = (tmp_path / "log").read_text()
    assert status == 0, log
    assert only(heard, Prepared) == [Prepared(19, 190, 32)]
    assert only(heard, Checkpoint)[-1].step == 190
    assert log.count("19/19 - ") == 10, "a line an epoch, and no bars"
    model = tf.saved_model.load(str(tmp_path / "model"))
    golden = np.load(tmp_path / "model/golden.npz")
    pictures = golden["serving_default/inputs/image"]
    assert pictures.dtype == np.uint8
    png = tf.constant([tf.io.encode_png(picture).numpy() for picture in pictures])
    said = [int(label) for label in model.signatures["encoded"](image_bytes=png)["label"].numpy()]
    assert np.mean(said == golden["labels"]) > 0.9


def test_an_interrupted_loop_ends_bit_for_bit_like_an_uninterrupted_one(tmp_path: Path) -> None:
    package = str(CUSTOM_LOOP.parent)
    data = tmp_path / "data"
    make_dataset(data, (28, 28, 1), classes=4, examples=640)
    whole, part = tmp_path / "whole", tmp_path / "part"
    with Child(whole, code=package, entry=CUSTOM_LOOP.stem, dataset=str(data)) as child:
        status, expected = child.finish()
    assert status == 0, (whole / "log").read_text()
    assert only(expected, Prepared) == [Prepared(30, 90, 16)]
    assert only(expected, Checkpoint)[-1].step == 90

    # The first attempt is stopped in its first steps; the second goes on from there.
    with Child(part / "1", code=package, entry=CUSTOM_LOOP.stem, dataset=str(data)) as child:
        status, first = child.finish(lambda message: isinstance(message, Prepared))
    assert status == 0, (part / "1/log").read_text()
    saved = only(first, Checkpoint)[-1]
    assert first[-1] == Stopped(saved.step)
    state = json.loads((Path(saved.path) / "checkpoint.json").read_text())
    assert (state["loop"], state["epoch"], state["step_in_epoch"]) == (True, saved.step // 30, saved.step % 30)
    spec = {
        "entry": CUSTOM_LOOP.stem,
        "dataset": str(data),
        "attempt": 2,
        "resume": saved.path,
        "resume_step": saved.step,
    }
    with Child(part / "2", code=package, **spec) as child:
        status, second = child.finish()
    assert status == 0, (part / "2/log").read_text()
    assert f"steps done {saved.step}" in (part / "2/log").read_text()
    for ours, theirs in zip(variables(whole / "checkpoints/90"), variables(part / "2/checkpoints/90"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert only(first, Metric) + only(second, Metric) == only(expected, Metric)


REPORTS = """
import numpy as np

from modelyard.job import context

context.report({"any name": 1.5}, learning_rate=np.float32(0.25), state="it goes well")
context.report_text("notes", "# What I saw\\n" + "x" * 20_000)
context.report_image("grid of four", np.linspace(0, 1, 4 * 5 * 6).reshape(4, 5, 6, 1))
context.report_image("../../escape", np.zeros((3, 3), np.uint8))
for done in range(0, 101, 50):
    context.progress(done, 100)
context.output("report").joinpath("evaluation.json").write_text("{}")
context.evaluated({"accuracy": 0.5}, "test", 100)
"""


def test_numbers_texts_and_pictures_of_any_name_are_said_and_are_tensorboard_files(tmp_path: Path) -> None:
    with Child(tmp_path, code=code(tmp_path, REPORTS), entry="train", dataset="", kind="evaluation") as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "log").read_text()
    assert only(heard, Metric) == [Metric(0, "any name", 1.5), Metric(0, "learning_rate", 0.25)]
    assert [(text.name, len(text.text)) for text in only(heard, Text)] == [("state", 12), ("notes", 16_000)]
    run = tmp_path / "outputs/run"
    places = {image.name: image.path for image in only(heard, Image)}
    assert places["grid of four"] == "images/grid_of_four/0.png"
    assert tf.io.decode_png((run / places["grid of four"]).read_bytes()).shape == (10, 12, 1)
    assert (run / places["../../escape"]).resolve().is_relative_to(run.resolve())
    (events,) = (run / "tensorboard/train").iterdir()
    found = {
        value.tag: value.metadata.plugin_data.plugin_name
        for record in tf.data.TFRecordDataset(str(events))
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value
    }
    assert found == {
        "any name": "scalars",
        "learning_rate": "scalars",
        "state": "text",
        "notes": "text",
        "grid of four": "images",
        "../../escape": "images",
    }
    assert only(heard, Progress)[-1].step == 100
    assert heard[-1] == Evaluated({"accuracy": 0.5}, "test", 100)


FIT = """
import keras

from modelyard.job import context

x, y = context.arrays("train")
model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense({units})])
model.compile("adam", loss=keras.losses.{loss})
model.fit(x, y, epochs=1000)
"""


@pytest.mark.parametrize(
    ("text", "failure", "words"),
    [
        (
            FIT.format(units=4, loss="CategoricalCrossentropy(from_logits=True)"),
            FailureClass.USER_CODE,
            "use loss='sparse_categorical_crossentropy'",
        ),
        (FIT.format(units=3, loss="SparseCategoricalCrossentropy()"), FailureClass.USER_CODE, "there is a label 3"),
        ("from modelyard.job import context\ncontext.arrays('dev')", FailureClass.INVALID_DATA, "no split 'dev'"),
        ("from modelyard.job import context\ncontext.checkpoint()", FailureClass.USER_CODE, "call that before the"),
        ("from modelyard.job import context\ncontext.params.lr", FailureClass.USER_CODE, "`--set lr=…`"),
        ("from modelyard.job import context\ncontext.report(a=[1])", FailureClass.USER_CODE, "takes a number or a"),
    ],
)
def test_a_mistake_ends_the_job_in_its_first_steps_with_a_sentence_and_the_line(
    tmp_path: Path, text: str, failure: FailureClass, words: str
) -> None:
    make_dataset(tmp_path / "inputs/dataset", (28, 28, 1), classes=4, examples=200)
    with Child(tmp_path, code=code(tmp_path, text), entry="train") as child:
        status, heard = child.finish()
    failed = heard[-1]
    assert isinstance(failed, Failed), (tmp_path / "log").read_text()
    assert (status, failed.failure_class) == (1, failure)
    assert words in failed.message
    assert re.search(r"\(train\.py, line \d+\)$", failed.message)
    assert only(heard, Prepared) == []
    assert "site-packages" not in failed.traceback


def test_what_init_writes_passes_its_own_test(tmp_path: Path) -> None:
    trial = try_package(ROOT / "services/modelyard/cli/skeleton", tmp_path, batch_size=16, lr=0.003)
    assert trial.status == 0, trial.printed
    assert trial.metrics["val_accuracy"] > 0.5
    assert "[modelyard] the model is in" in trial.printed
    assert (trial.outputs / "run/tensorboard/validation").is_dir()


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        pytest.param(
            "for _ in context.epochs(1):\n    context.report(loss=1.0)\n    wait()", True, marks=pytest.mark.soak
        ),
        ("context.report(loss=1.0)\ncontext.report(loss=0.5)\nwait()", True),
        pytest.param("context.progress(1, 2)\nwait()", True, marks=pytest.mark.soak),
        ("context.resume(model)\ncontext.checkpoint(loss=1.0)\nwait()", True),
        pytest.param("context.export(model)\nwait()", True, marks=pytest.mark.soak),
        ("context.report(weights=7)\nwait()", False),
    ],
)
def test_what_never_calls_fit_runs_from_its_first_step_or_result_on(tmp_path: Path, text: str, prepared: bool) -> None:
    script = (
        "import keras\nfrom modelyard.job import context\n"
        "def wait():\n    context.report_text('waits', '')\n    raise SystemExit(0)\n"
        "model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
    )
    with Child(tmp_path, code=code(tmp_path, script + text), entry="train", dataset="") as child:
        _, heard = child.finish()
    assert Text in map(type, heard), (tmp_path / "log").read_text()
    kinds = [type(message) for message in heard]
    assert (Prepared in kinds[: kinds.index(Text)]) == prepared


def test_a_script_whose_work_waits_in_main_is_told_how_to_call_it(tmp_path: Path) -> None:
    package = code(tmp_path, "def main():\n    raise AssertionError\n")
    with Child(tmp_path, code=package, entry="train", dataset="") as child:
        _, heard = child.finish()
    failed = heard[-1]
    assert isinstance(failed, Failed)
    assert failed.failure_class is FailureClass.EXPORT_INVALID
    assert failed.message.startswith("the code ended without context.export(model); ")
    assert failed.message.endswith("train.py defines main(), which nothing has called: --entry train:main")


def test_a_file_that_is_no_python_shows_no_frame_of_ours(tmp_path: Path) -> None:
    with Child(tmp_path, code=code(tmp_path, "if x\n"), entry="train", dataset="") as child:
        _, heard = child.finish()
    failed = heard[-1]
    assert isinstance(failed, Failed)
    log = (tmp_path / "log").read_text()
    assert "SyntaxError: expected ':'" in log
    for text in (log, failed.traceback):
        assert not re.search(r"lifetime\.py|code\.py|runpy", text)


def test_a_package_tried_out_here_fails_with_its_own_frames_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/train.py").write_text("from modelyard.job import context\ncontext.params.steps\n")
    trial = try_package(tmp_path / "code", tmp_path / "out")
    assert trial.status == 1
    assert 'File "train.py", line 2, in <module>' in trial.printed
    assert not re.search(r"parameters\.py|lifetime\.py|runpy", trial.printed)
    assert "USER_CODE: AttributeError: this job has no parameter 'steps'" in trial.printed
    assert only([], Exported) == []
