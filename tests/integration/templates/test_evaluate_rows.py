"""Evaluations of texts and tables: each figure is worked out here once more, with NumPy, of what the model answers."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from tests.integration.templates.evaluations import run, save

pytestmark = pytest.mark.timeout(300)

TEXT = tf.TensorSpec((None,), tf.string, "text")
ROWS = 300


def as_csv(*columns: str, rows: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([columns, *rows])
    return text.getvalue().encode()


def reviews(count: int, seed: int) -> list[tuple[str, str]]:
    """The first word decides; the others are the same words in any order. One in ten has the wrong label."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        words = list(random.permutation(["good", "bad", "plot", f"film {number}", "end"]))
        first = str(random.choice(["good", "bad"]))
        label = "pos" if (first == "good") != (random.random() < 0.1) else "neg"
        rows.append((" ".join([first, *words]), label))
    return rows


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts") / "dataset"
    files = {
        f"{split}.csv": as_csv("text", "label", rows=reviews(ROWS, seed))
        for seed, split in enumerate(("train", "test"))
    }
    prepare_dataset(folder, files, options=Options(target="label"))
    return folder


def table(count: int, seed: int) -> list[tuple[Any, ...]]:
    """`dose` matters most, `noise` not at all; a missing dose is a hard case."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        dose, noise, ward = round(random.normal(), 3), round(random.normal(), 3), str(random.choice(["east", "west"]))
        value = 3 * dose + (1 if ward == "east" else -1) + random.normal() / 2
        rows.append(
            ("" if random.random() < 0.05 else dose, noise, ward, round(value, 4), "ill" if value > 0 else "well")
        )
    return rows


HEAD = ("dose", "noise", "ward", "value", "state")


def table_of(folder: Path, target: str) -> Path:
    other = {"value": "state", "state": "value"}[target]
    keep = [HEAD.index(name) for name in HEAD if name != other]
    files = {
        f"{split}.csv": as_csv(*(HEAD[at] for at in keep), rows=[[row[at] for at in keep] for row in table(ROWS, seed)])
        for seed, split in enumerate(("train", "test"))
    }
    prepare_dataset(folder, files, options=Options(target=target))
    return folder


COLUMNS = [
    tf.TensorSpec((None,), tf.float32, "dose"),
    tf.TensorSpec((None,), tf.float32, "noise"),
    tf.TensorSpec((None,), tf.string, "ward"),
]


def guess(dose: Any, noise: Any, ward: Any) -> Any:
    """The right answer, but for what is random and for missing doses."""
    known = tf.where(tf.math.is_nan(dose), 0.0, dose)
    return 3 * known + tf.where(ward == "east", 1.0, -1.0) + 0.0 * noise


def guesses() -> tuple[Any, Any]:
    """What `guess` answers for the test split, and the rows."""
    rows = table(ROWS, 1)
    doses = np.array([0.0 if row[0] == "" else row[0] for row in rows])
    return 3 * doses + np.where([row[2] == "east" for row in rows], 1.0, -1.0), rows


def test_texts_are_judged_with_their_floors_and_their_worst_mistakes_class_by_class(
    tmp_path: Path, texts: Path
) -> None:
    def first_word(text: Any) -> Mapping[str, Any]:
        good = tf.cast(tf.strings.regex_full_match(text, "good .*"), tf.float32)
        length = tf.cast(tf.strings.length(text), tf.float32) / 1000.0
        return {"probabilities": tf.stack([0.9 - 0.8 * good + length, 0.1 + 0.8 * good - length], 1)}

    found = run(tmp_path, texts, save(tmp_path / "model", first_word, TEXT, names=("neg", "pos")), mistakes=4)
    rows = reviews(ROWS, 1)
    positive = np.array([label == "pos" for _, label in rows])
    score = np.array([0.1 + 0.8 * text.startswith("good ") - len(text) / 1000 for text, _ in rows])
    right = (score > 0.5) == positive
    wins = (score[positive][:, None] > score[~positive]) + 0.5 * (score[positive][:, None] == score[~positive])
    of_true = np.where(positive, score, 1 - score)
    assert found["metrics"]["accuracy"] == pytest.approx(right.mean())
    assert found["metrics"]["auc"] == pytest.approx(wins.mean(), abs=1e-6)
    assert found["metrics"]["log_loss"] == pytest.approx(-np.log(of_true).mean(), rel=1e-5)
    most = max(("neg", "pos"), key=[label for _, label in reviews(ROWS, 0)].count)
    share = np.mean([label == most for _, label in rows])
    assert found["floors"]["accuracy"] == {"value": share, "by": f"always {most}, the most frequent class of train"}
    assert [each["true"] for each in found["mistakes"]].count(0) == 2
    worst = next(each for each in found["mistakes"] if each["true"] == 1)
    lines = [number for number in range(ROWS) if positive[number] and not right[number]]
    expected = min(lines, key=lambda number: score[number])
    assert (worst["path"], worst["texts"]) == (f"test.csv:{expected + 2}", {"text": rows[expected][0]})
    (control,) = found["controls"]
    assert (control["name"], control["metric"], control["examples"]) == ("words of text shuffled", "accuracy", ROWS)
    assert control["as_is"] == found["metrics"]["accuracy"]
    assert control["value"] < 0.65
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert f"test.csv, line&nbsp;{expected + 2}" in page
    assert rows[expected][0] in page
    assert "words of text shuffled" in page


def test_a_reader_of_single_words_loses_nothing_when_they_are_shuffled(tmp_path: Path, texts: Path) -> None:
    def contains(text: Any) -> Mapping[str, Any]:
        twice = tf.cast(tf.strings.regex_full_match(text, ".*good.*good.*"), tf.float32)
        return {"probabilities": tf.stack([1 - twice, twice], 1)}

    (control,) = run(tmp_path, texts, save(tmp_path / "model", contains, TEXT, names=("neg", "pos")))["controls"]
    assert control["value"] == control["as_is"] > 0.8


def test_of_texts_without_spaces_the_symbols_are_shuffled(tmp_path: Path) -> None:
    rows = "".join(f"{'我爱' if at % 2 else '爱我'}北京,{'pos' if at % 2 else 'neg'}\n" for at in range(40))
    files = {f"{name}.csv": f"text,label\n{rows}".encode() for name in ("train", "test")}
    prepare_dataset(tmp_path / "dataset", files, options=Options(target="label", features={"text": {"kind": "text"}}))

    def in_order(text: Any) -> Mapping[str, Any]:
        right = tf.cast(tf.strings.regex_full_match(text, ".*我爱.*"), tf.float32)
        return {"probabilities": tf.stack([1 - right, right], 1)}

    model = save(tmp_path / "model", in_order, TEXT, names=("neg", "pos"))
    (control,) = run(tmp_path, tmp_path / "dataset", model)["controls"]
    assert control["name"] == "symbols of text shuffled"
    assert control["value"] < 0.8 < control["as_is"]


def test_a_tables_classes_are_judged_and_its_columns_swapped(tmp_path: Path) -> None:
    def classify(dose: Any, noise: Any, ward: Any) -> Mapping[str, Any]:
        ill = tf.sigmoid(guess(dose, noise, ward))
        return {"probabilities": tf.stack([1 - ill, ill], 1), "label": tf.where(ill > 0.5, "ill", "well")}

    dataset = table_of(tmp_path / "dataset", "state")
    found = run(tmp_path, dataset, save(tmp_path / "model", classify, COLUMNS, names=("well", "ill")), mistakes=6)
    value, rows = guesses()
    ill = np.array([row[4] == "ill" for row in rows])
    # Classes are in the order of their names: ill, well; the second is the positive one.
    wins = (value[~ill][:, None] < value[ill]) + 0.5 * (value[~ill][:, None] == value[ill])
    assert found["metrics"]["accuracy"] == pytest.approx(((value > 0) == ill).mean())
    assert found["metrics"]["auc"] == pytest.approx(wins.mean(), abs=1e-4)
    swapped = {each["name"]: each["value"] for each in found["importance"]["columns"]}
    assert (found["importance"]["metric"], found["importance"]["as_is"]) == ("auc", found["metrics"]["auc"])
    assert swapped["noise"] == pytest.approx(found["metrics"]["auc"])
    assert swapped["dose"] < swapped["ward"] < swapped["noise"]
    worst = found["mistakes"][0]
    number = worst["example"]
    assert worst["path"] == f"test.csv:{number + 2}"
    dose, noise, ward, _, _ = rows[number]
    assert worst["values"] == {
        "dose": None if dose == "" else pytest.approx(dose),
        "noise": pytest.approx(noise),
        "ward": ward,
    }
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "Permutation importance" in page
    assert page.index("<th scope=col>dose</th>") < page.index("<th scope=col>noise</th>")


def test_a_tables_numbers_are_judged_in_their_own_unit(tmp_path: Path) -> None:
    dataset = table_of(tmp_path / "dataset", "value")
    model = save(tmp_path / "model", lambda dose, noise, ward: {"value": guess(dose, noise, ward)}, COLUMNS, names=None)
    found = run(tmp_path, dataset, model, mistakes=5)
    value, rows = guesses()
    true = np.array([row[3] for row in rows])
    error = value - true
    assert found["kind"] == "regression"
    assert found["metrics"] == pytest.approx(
        {
            "rmse": np.sqrt((error**2).mean()),
            "mae": np.abs(error).mean(),
            "bias": error.mean(),
            "r2": 1 - (error**2).sum() / ((true - true.mean()) ** 2).sum(),
        },
        abs=1e-4,
    )
    trained = np.array([row[3] for row in table(ROWS, 0)])
    assert found["floors"]["rmse"]["value"] == pytest.approx(np.sqrt(((true - trained.mean()) ** 2).mean()), rel=1e-5)
    assert found["floors"]["mae"]["value"] == pytest.approx(np.abs(true - np.median(trained)).mean(), rel=1e-5)
    assert found["floors"]["rmse"]["by"] == f"always {trained.mean():.4g}, the mean of train"
    worst = np.argsort(-np.abs(error))[:5]
    assert [each["example"] for each in found["mistakes"]] == worst.tolist()
    assert found["mistakes"][0]["answered"] - found["mistakes"][0]["true"] == pytest.approx(error[worst[0]], abs=1e-4)
    assert len(found["points"]) == ROWS
    np.testing.assert_allclose(found["points"], np.stack([true, value], 1), atol=1e-3)
    swapped = {each["name"]: each["value"] for each in found["importance"]["columns"]}
    assert swapped["dose"] > swapped["ward"] > swapped["noise"] == pytest.approx(found["metrics"]["rmse"])
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert f"<dd>{found['metrics']['rmse']:.4g}</dd>" in page
    assert "Answered and true" in page


def test_rows_without_a_truth_are_no_examples_and_the_report_says_how_many_there_are(tmp_path: Path) -> None:
    rows = [[1, 2], [2, ""], [3, 6], [4, 9]] * 10
    files = {"train.csv": as_csv("x", "y", rows=rows), "test.csv": as_csv("x", "y", rows=rows)}
    prepare_dataset(tmp_path / "dataset", files, options=Options(target="y"))
    model = save(tmp_path / "model", lambda x: {"y2": 2 * x}, tf.TensorSpec((None,), tf.float32, "x"), names=None)
    found = run(tmp_path, tmp_path / "dataset", model, batch_size=7)
    assert found["examples"] == 30
    assert found["metrics"]["mae"] == pytest.approx(1 / 3)
    assert found["problems"] == 20
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "20 rows or files of the dataset are no examples" in page
    assert found["mistakes"][0]["path"] == "test.csv:5"
    assert "importance" not in found


def test_a_number_is_not_judged_by_probabilities_and_a_model_may_not_take_the_answer(tmp_path: Path) -> None:
    dataset = table_of(tmp_path / "dataset", "value")
    pair = save(
        tmp_path / "pair", lambda dose: {"probabilities": tf.stack([dose, 1 - dose], 1)}, COLUMNS[0], names=None
    )
    with pytest.raises(ModelUnsuitable, match="the target 'value' is a number; the model gives 2 values an example"):
        run(tmp_path, dataset, pair)
    value = tf.TensorSpec((None,), tf.float32, "value")
    with pytest.raises(ModelUnsuitable, match="the model takes 'value', which is what it shall answer"):
        run(tmp_path, dataset, save(tmp_path / "cheat", lambda value: {"a": value}, value, names=None))


def test_a_dataset_without_a_target_cannot_judge(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "dataset", {"notes.txt": b"one line\nanother line\n" * 20})
    model = save(tmp_path / "model", lambda text: {"a": tf.zeros((tf.shape(text)[0], 2))}, TEXT, names=("a", "b"))
    with pytest.raises(DatasetUnsuitable, match=r"judged on one target, a category or a number; .*: none"):
        run(tmp_path, tmp_path / "dataset", model)
