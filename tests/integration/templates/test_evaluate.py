"""Evaluations on real SavedModels: one as a job's process, the rest within this one."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.messages import Evaluated, Exported, Metric, Progress
from modelyard.templates.fitting import DatasetNotForModel
from modelyard.templates.specs import SHIPPED, get_template
from tests.integration.job.child import Child, prepare_idx, strokes
from tests.integration.templates.evaluations import run, save

pytestmark = pytest.mark.timeout(300)

NAMES = ("0", "1", "2", "3")
EXAMPLES = 200


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "dataset"
    prepare_idx(folder, strokes(40), strokes(EXAMPLES, seed=1), 4)
    return folder


def bands(image: Any) -> Any:
    """The right answers: the mean of each row band, sharpened. uint8 or float [n, 28, 28, 1] -> logits [n, 4]."""
    pixels = tf.cast(image, tf.float32)
    return tf.stack([tf.reduce_mean(pixels[:, 7 * k : 7 * k + 4], (1, 2, 3)) for k in range(4)], 1) / 10.0


def classifier(image: Any) -> Mapping[str, Any]:
    return {"probabilities": tf.nn.softmax(bands(image))}


def test_a_trained_version_is_judged_by_a_job_of_its_own(tmp_path: Path) -> None:
    for job in ("train", "evaluate"):
        prepare_idx(tmp_path / job / "inputs/dataset", strokes(128), strokes(EXAMPLES, seed=1), 4)
    values = get_template("image-classification").complete({"epochs": 1, "learning_rate": 0.003})
    with Child(tmp_path / "train", parameters=values) as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "train/log").read_text()
    trained = next(message for message in heard if isinstance(message, Exported))
    (tmp_path / "train/model").rename(tmp_path / "evaluate/inputs/model")

    spec: dict[str, Any] = {
        "code": str(SHIPPED / "evaluate"),
        "entry": "evaluate:main",
        "kind": "evaluation",
        "model_version": "projects/p/models/bars/versions/2",
        "dataset_version": "projects/p/datasets/strokes/versions/1",
    }
    with Child(tmp_path / "evaluate", **spec, parameters=get_template("evaluate").complete({})) as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "evaluate/log").read_text()
    evaluated = heard[-1]
    assert isinstance(evaluated, Evaluated)
    assert (evaluated.split, evaluated.examples) == ("test", EXAMPLES)
    assert evaluated.metrics["accuracy"] == pytest.approx(trained.metrics["val_accuracy"])
    assert evaluated.metrics["log_loss"] == pytest.approx(trained.metrics["val_loss"], rel=1e-3)
    assert [message.step for message in heard if isinstance(message, Progress)][-1:] == [EXAMPLES]
    assert not [message for message in heard if isinstance(message, Metric)]
    report = tmp_path / "evaluate/outputs/report"
    written = json.loads((report / "evaluation.json").read_text())
    assert written["metrics"] == pytest.approx(evaluated.metrics)
    assert (written["model"], written["dataset"]) == (spec["model_version"], spec["dataset_version"])
    age = datetime.now(UTC) - datetime.fromisoformat(written["date"])
    assert timedelta() <= age < timedelta(minutes=5)
    assert "<h1>bars@2 on strokes@1</h1>" in (report / "report.html").read_text()
    assert sorted(path.name for path in report.iterdir()) == ["evaluation.json", "report.html"]
    assert "200 examples of the split <b>test</b>" in (report / "report.html").read_text()


def test_another_order_of_classes_makes_no_difference(tmp_path: Path, dataset: Path) -> None:
    def turned(image: Any) -> Mapping[str, Any]:
        return {"probabilities": tf.nn.softmax(bands(image)[:, ::-1])}

    straight = run(tmp_path, dataset, save(tmp_path / "straight", classifier))
    backward = run(tmp_path, dataset, save(tmp_path / "backward", turned, names=NAMES[::-1]))
    assert straight["metrics"]["accuracy"] == 1.0
    # A softmax of float32, added up in another order: the last bits of a loss of a millionth may differ.
    assert straight["metrics"] == pytest.approx(backward["metrics"], abs=1e-7)
    assert straight["confusion"] == backward["confusion"] == [[k, k, n] for k, _, n in straight["confusion"]]
    assert backward["matched_by"] == "name"
    assert straight["mistakes"] == []


def test_mistakes_come_with_number_image_and_probabilities(tmp_path: Path, dataset: Path) -> None:
    def wrong(image: Any) -> Mapping[str, Any]:
        return {"probabilities": tf.nn.softmax(tf.roll(bands(image), 1, axis=1))}

    found = run(tmp_path, dataset, save(tmp_path / "model", wrong), mistakes=3)
    assert found["metrics"]["accuracy"] == 0.0
    assert len(found["mistakes"]) == 3
    for mistake in found["mistakes"]:
        assert mistake["predicted"] == (mistake["true"] + 1) % 4
        assert mistake["true"] == strokes(EXAMPLES, seed=1)[1][mistake["example"]]
        assert mistake["path"] == f"test-images:{mistake['example'] + 1}"
        assert mistake["probability"] > 0.9 > mistake["true_probability"]
        assert mistake["image"].startswith("data:image/png;base64,")


def test_logits_floats_and_flat_inputs_are_read_as_what_they_are(tmp_path: Path, dataset: Path) -> None:
    def flat(pixels: Any) -> Mapping[str, Any]:
        return {"anything": bands(tf.reshape(pixels, (-1, 28, 28, 1)) * 255.0)}

    model = save(tmp_path / "model", flat, tf.TensorSpec((None, 784), tf.float32, "pixels"), names=None)
    found = run(tmp_path, dataset, model, scale=1 / 255)
    assert (found["read_as"], found["matched_by"], found["output"]) == ("logits", "position", "anything")
    assert found["metrics"]["accuracy"] == 1.0
    assert "The model has no class names" in (tmp_path / "outputs/report/report.html").read_text()


def test_a_model_of_tensorflow_1_is_asked_the_same_way(tmp_path: Path, dataset: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.uint8, (None, 28, 28, 1))
        sharpness = v1.get_variable("sharpness", initializer=1.0)
        answer = tf.nn.softmax(bands(image) * sharpness)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "model"), {"image": image}, {"answer": answer})
    found = run(tmp_path, dataset, tmp_path / "model")
    assert (found["output"], found["read_as"]) == ("answer", "probabilities")
    assert found["metrics"]["accuracy"] == 1.0


def test_images_are_brought_to_the_models_size(tmp_path: Path, dataset: Path) -> None:
    def small(image: Any) -> Mapping[str, Any]:
        return classifier(tf.repeat(tf.repeat(image, 2, axis=1), 2, axis=2))

    model = save(tmp_path / "model", small, tf.TensorSpec((None, 14, 14, 1), tf.uint8, "image"))
    (tmp_path / "scratch").mkdir()
    assert run(tmp_path, dataset, model)["metrics"]["accuracy"] > 0.9


def test_classes_that_only_one_side_has_are_counted_and_said(tmp_path: Path, dataset: Path) -> None:
    model = save(tmp_path / "model", classifier, names=("0", "1", "2", "nine"))
    found = run(tmp_path, dataset, model)
    assert (found["unknown_to_model"], found["unknown_to_dataset"]) == (["3"], ["nine"])
    threes = int((strokes(EXAMPLES, seed=1)[1] == 3).sum())
    assert found["metrics"]["accuracy"] == pytest.approx(1 - threes / EXAMPLES)
    assert found["confusion"][-1] == [3, 4, threes]


def test_one_number_is_compared_with_the_numbers_that_classes_stand_for(tmp_path: Path, dataset: Path) -> None:
    def which(image: Any) -> Mapping[str, Any]:
        return {"value": tf.cast(tf.argmax(bands(image), axis=1), tf.float32) + 0.5}

    found = run(tmp_path, dataset, save(tmp_path / "model", which, names=None))
    assert found["kind"] == "regression"
    assert found["metrics"]["mae"] == found["metrics"]["rmse"] == found["metrics"]["bias"] == 0.5
    assert (tmp_path / "outputs/report/report.html").read_text().startswith("<!DOCTYPE html>")


def test_another_split_can_be_asked_for_and_one_without_examples_is_refused(tmp_path: Path, dataset: Path) -> None:
    model = save(tmp_path / "model", classifier)
    assert run(tmp_path, dataset, model, split="train")["examples"] == 40
    with pytest.raises(DatasetUnsuitable, match=r"'validation' has no examples; the dataset has train \(40\), test"):
        run(tmp_path, dataset, model, split="validation")


IMAGE = tf.TensorSpec((None, 28, 28, 1), tf.uint8, "image")


@pytest.mark.parametrize(
    ("function", "spec", "says"),
    [
        (
            lambda image: {"text": tf.strings.as_string(bands(image))},
            IMAGE,
            "has 0 outputs of floats. A model that can",
        ),
        (
            lambda image: {"a": bands(image), "b": bands(image)},
            IMAGE,
            r"has 2 outputs of floats; say which is to be judged with --set output=NAME \(a, b\)",
        ),
        (
            lambda image, mask: {"a": bands(image) * mask},
            [IMAGE, tf.TensorSpec((None, 1), tf.float32, "mask")],
            r"has images of \[28, 28, 1\] as 'image'; the model takes 'mask' \(float32 \[any, 1\]\)",
        ),
        (
            lambda text: {"a": tf.strings.to_number(text)},
            tf.TensorSpec((None,), tf.string, "text"),
            "has nothing for 'text'",
        ),
        (
            lambda image: {"a": bands(image)},
            tf.TensorSpec((None, 28, 28, 3), tf.uint8, "image"),
            r"has images of \[28, 28, 1\] as 'image'; the model takes 'image' \(uint8 \[any, 28, 28, 3\]\)",
        ),
        (lambda image: {"a": tf.cast(image, tf.float32)}, IMAGE, r"output 'a' is \[128, 28, 28, 1\] for 128 examples"),
        (lambda image: {"a": bands(image)[:, :3]}, IMAGE, "names 4 classes and gives 3 values"),
        (lambda image: {"a": bands(image) / 0.0}, IMAGE, "answers inf for example 0"),
        (lambda image: {"a": tf.reduce_mean(bands(image), 0)}, IMAGE, r"output 'a' is \[4, 1\] for 128 examples"),
    ],
)
def test_a_model_that_cannot_be_evaluated_is_told_what_one_looks_like(
    tmp_path: Path, dataset: Path, function: Any, spec: Any, says: str
) -> None:
    model = save(tmp_path / "model", function, spec)
    with pytest.raises((ModelUnsuitable, DatasetNotForModel), match=says):
        run(tmp_path, dataset, model)


def test_a_model_without_the_signature_or_without_a_model_is_refused(tmp_path: Path, dataset: Path) -> None:
    module = tf.Module()
    tf.saved_model.save(module, str(tmp_path / "bare"))
    with pytest.raises(ModelUnsuitable, match=r"has no signature 'serving_default'; it has none\. A model that can be"):
        run(tmp_path, dataset, tmp_path / "bare")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelUnsuitable, match="TensorFlow cannot load the model: "):
        run(tmp_path, dataset, tmp_path / "empty")


def test_a_model_that_fails_is_told_with_tensorflows_reason(tmp_path: Path, dataset: Path) -> None:
    def failing(image: Any) -> Mapping[str, Any]:
        with tf.control_dependencies(
            [tf.debugging.assert_less(tf.reduce_max(image), tf.constant(1, tf.uint8), "bright")]
        ):
            return classifier(image)

    model = save(tmp_path / "model", failing)
    with pytest.raises(ModelUnsuitable, match=r"the model fails: .*bright.* \(on 128 examples\)"):
        run(tmp_path, dataset, model)


def test_the_examples_are_counted_once_each_whatever_the_batch(tmp_path: Path, dataset: Path) -> None:
    model = save(tmp_path / "model", lambda image: {"a": tf.nn.softmax(bands(image) * 0.02)})
    whole, parts = (run(tmp_path, dataset, model, batch_size=size) for size in (EXAMPLES, 7))
    assert parts["examples"] == EXAMPLES
    assert parts["metrics"] == pytest.approx(whole["metrics"])
    assert np.array(parts["confusion"]).tolist() == whole["confusion"]


def test_a_model_that_draws_without_a_seed_is_judged_by_a_job_and_the_report_says_so(tmp_path: Path) -> None:
    def noisy(image: Any) -> Mapping[str, Any]:
        return {"probabilities": tf.nn.softmax(bands(image) + tf.random.normal((tf.shape(image)[0], 4)))}

    prepare_idx(tmp_path / "inputs/dataset", strokes(16), strokes(EXAMPLES, seed=1), 4)
    save(tmp_path / "inputs/model", noisy)
    spec: dict[str, Any] = {"code": str(SHIPPED / "evaluate"), "entry": "evaluate:main", "kind": "evaluation"}
    with Child(tmp_path, **spec, parameters=get_template("evaluate").complete({})) as child:
        status, heard = child.finish()
    assert status == 0, (tmp_path / "log").read_text()
    assert isinstance(heard[-1], Evaluated)
    report = tmp_path / "outputs/report"
    assert json.loads((report / "evaluation.json").read_text())["random"] == ["RandomStandardNormal"]
    page = (report / "report.html").read_text()
    assert (
        "The model draws random numbers (RandomStandardNormal): another evaluation of it finds other numbers." in page
    )


def test_operations_that_draw_and_change_nothing_are_not_mentioned(tmp_path: Path, dataset: Path) -> None:
    def idle(image: Any) -> Mapping[str, Any]:
        return {"probabilities": tf.nn.softmax(bands(image) + 0.0 * tf.random.normal((tf.shape(image)[0], 4)))}

    found = run(tmp_path, dataset, save(tmp_path / "model", idle))
    assert found["random"] == []
    assert found["metrics"]["accuracy"] == 1.0


def test_a_model_of_tensorflow_1_may_call_its_input_as_no_python_call_can(tmp_path: Path, dataset: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.uint8, (None, 28, 28, 1))
        answer = tf.nn.softmax(bands(image) * v1.get_variable("sharpness", initializer=1.0))
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(tmp_path / "model"), {"in": image}, {"class": answer})
    found = run(tmp_path, dataset, tmp_path / "model")
    assert found["output"] == "class"
    assert found["metrics"]["accuracy"] == 1.0
