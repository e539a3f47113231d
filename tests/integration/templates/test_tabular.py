"""The template on a small table with all that tables have, and what it serves."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.tensors import tensor_of
from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Description, Feature, Options, Split, SplitRule, Table
from modelyard.templates.specs import SHIPPED
from tests.integration.templates import evaluations
from tests.integration.templates.answers import ask, golden, refused
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

CITIES = 100


def table(count: int, seed: int) -> bytes:
    """A worker of class a or b, in one of 100 cities, is paid for hours; nobody is above 40. Hours are missing now and
    then, and then the pay is low."""
    random = np.random.default_rng(seed)
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["Hours a Week", "class", "city", "Temperature °C", "rare", "one", "pay", "band"])
    for _ in range(count):
        hours, kind, city = int(random.integers(0, 80)), "ab"[random.integers(2)], int(random.integers(CITIES))
        missing = bool(random.random() < 0.1)
        pay = 100 * (0 if missing else min(hours, 40)) * (1 + (kind == "b")) + 20 * (city % 7)
        rows.writerow(
            [
                *(
                    "" if missing else hours,
                    kind,
                    f"city {city}" if city else "[UNK]",
                    f"{random.normal(15, 8):.2f}",
                    random.choice(["", "7"], p=[0.99, 0.01]),
                    1,
                    pay,
                ),
                "high" if pay > 3000 else "low",
            ]
        )
    return out.getvalue().encode()


def prepare(folder: Path, target: str, files: dict[str, bytes], **options: Any) -> Path:
    other = {"pay": "band", "band": "pay"}[target]
    lines = {name: list(csv.reader(io.StringIO(data.decode()))) for name, data in files.items()}
    kept: dict[str, bytes] = {}
    for name, rows in lines.items():
        without = rows[0].index(other)
        out = io.StringIO()
        csv.writer(out).writerows([value for at, value in enumerate(row) if at != without] for row in rows)
        kept[name] = out.getvalue().encode()
    prepare_dataset(folder, kept, options=Options(target=target, **options))
    return folder


def train(dataset: Path, folder: Path, **parameters: Any) -> Trial:
    return try_package(SHIPPED / "tabular", folder, dataset=dataset, **{"batch_size": 32, "units": 64, **parameters})


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {"train.csv": table(1600, 0), "test.csv": table(300, 1)}


@pytest.fixture(scope="module")
def classes(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("classes")
    done = train(prepare(folder / "dataset", "band", files), folder)
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def numbers(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("numbers")
    done = train(prepare(folder / "dataset", "pay", files), folder)
    assert done.status == 0, done.printed
    return done


def rows(**columns: list[Any]) -> dict[str, list[Any]]:
    """With what is left out as it is in most rows."""
    count = len(next(iter(columns.values())))
    usual: dict[str, Any] = {
        "hours_a_week": 20.0,
        "class_": "a",
        "city": "city 3",
        "temperature_c": 15.0,
        "rare": float("nan"),
        "one": 1.0,
    }
    return {name: columns.get(name, [value] * count) for name, value in usual.items()}


def test_it_tells_classes_apart_and_reports_the_area_under_the_curve(classes: Trial) -> None:
    assert classes.metrics["val_accuracy"] > 0.95
    assert classes.metrics["val_auc"] > 0.98


def test_it_learns_a_number_and_reports_its_error_in_the_numbers_own_units(numbers: Trial) -> None:
    found = ask(numbers.model, **rows(hours_a_week=[5.0, 20.0, 60.0], class_=["a", "b", "b"]))
    assert set(found) == {"value"}
    assert found["value"] == pytest.approx([560, 4060, 8060], abs=400)
    assert numbers.metrics["val_rmse"] < 350


def test_it_takes_a_tables_own_values_and_answers_probabilities_and_a_label(classes: Trial) -> None:
    found = ask(classes.model, **rows(hours_a_week=[39.0, 39.0, 2.0], class_=["b", "a", "b"]))
    assert found["label"].tolist() == [b"high", b"high", b"low"]
    assert found["probabilities"].shape == (3, 2)
    description = json.loads((classes.model / "modelyard.model.json").read_text())
    assert (description["task"], description["classes"]) == ("tabular-classification", ["high", "low"])
    assert description["inputs"] == {
        "hours_a_week": "number",
        "class_": "category",
        "city": "category",
        "temperature_c": "number",
        "rare": "number",
        "one": "number",
    }


def test_a_missing_number_is_what_missing_ones_were_and_not_the_mean(numbers: Trial) -> None:
    missing, mean = ask(numbers.model, **rows(hours_a_week=[float("nan"), 39.0]))["value"]
    assert missing < 1000 < mean


def test_unseen_and_empty_categories_and_numbers_beyond_all_have_an_answer(classes: Trial, numbers: Trial) -> None:
    strange = rows(
        hours_a_week=[1e38, -1e38, float("inf"), 20.0, 20.0],
        class_=["c", "", "b", "a", "a"],
        city=["Atlantis", "", "city 1", "Atlantis", ""],
        one=[5.0, float("nan"), 1.0, 1.0, 1.0],
        rare=[7.0, 0.0, float("nan"), float("nan"), float("nan")],
    )
    assert np.isfinite(ask(classes.model, **strange)["probabilities"]).all()
    found = ask(numbers.model, **strange)["value"]
    assert np.isfinite(found).all()
    assert found[3] == found[4]


def test_what_is_kept_with_the_model_are_held_out_rows(numbers: Trial, files: dict[str, bytes]) -> None:
    kept = golden(numbers.model)
    held_out = {row["city"] for row in csv.DictReader(io.StringIO(files["test.csv"].decode()))}
    assert {city.decode() for city in kept["serving_default/inputs/city"].tolist()} <= held_out


@pytest.mark.parametrize("target", ["band", "pay"])
def test_a_table_too_large_to_be_encoded_at_once_teaches_the_same_batch_by_batch(
    target: str, files: dict[str, bytes], classes: Trial, numbers: Trial, tmp_path: Path
) -> None:
    code = tmp_path / "tabular"
    shutil.copytree(SHIPPED / "tabular", code)
    source = (code / "tabular.py").read_text()
    assert "MOST_ENCODED = 1 << 30" in source
    (code / "tabular.py").write_text(source.replace("MOST_ENCODED = 1 << 30", "MOST_ENCODED = 0"))
    prepare(tmp_path / "dataset", target, files)
    done = try_package(code, tmp_path / "done", dataset=tmp_path / "dataset", batch_size=32, units=64)
    assert done.status == 0, done.printed
    assert done.metrics == pytest.approx((classes if target == "band" else numbers).metrics, rel=1e-3)


def test_encoded_rows_are_there_once_and_shared_with_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHIPPED / "tabular"))
    from columns import encoded, encoder, learn_number

    rows = {"a": np.arange(20_000, dtype=np.float32)}
    encode = encoder({"a": learn_number(rows["a"])}, {}, {})
    found = encoded(encode, rows)["values"]
    assert np.array_equal(found[-5:], encode({"a": tf.constant(rows["a"][-5:])})["values"])
    tensor: Any = tensor_of(found)
    assert np.shares_memory(found, memoryview(tensor))


def records(path: Path, count: int, seed: int, *, several: bool) -> bytes:
    """The answer is where the embedding points along its third number; some of it is missing."""
    random = np.random.default_rng(seed)
    with tf.io.TFRecordWriter(str(path)) as file:
        for _ in range(count):
            embedding = random.normal(5, 2, 6)
            answers = [100 * embedding[2], 1.0] if several else [100 * embedding[2]]
            embedding[5] = np.nan
            given = {"embedding": embedding, "one": [0.5], "tags": [1.0] * int(random.integers(3)), "y": answers}
            features = {
                name: tf.train.Feature(float_list=tf.train.FloatList(value=values)) for name, values in given.items()
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return path.read_bytes()


def prepare_records(folder: Path, *, several: bool = False) -> Path:
    spec: dict[str, dict[str, Any]] = {
        "embedding": {"kind": "number", "shape": [2, 3]},
        "one": {"kind": "number", "shape": [1]},
        "tags": {"kind": "number", "shape": [None]},
        "y": {"kind": "number", "role": "target", "shape": [2] if several else [1]},
    }
    files = {
        f"{split}.tfrecord": records(folder.with_name(split), count, seed, several=several)
        for seed, (split, count) in enumerate({"train": 600, "test": 50}.items())
    }
    prepare_dataset(folder, files, options=Options(features=spec))
    return folder


def test_several_numbers_a_row_are_read_where_each_row_has_as_many(tmp_path: Path) -> None:
    done = train(prepare_records(tmp_path / "dataset"), tmp_path)
    assert done.status == 0, done.printed
    assert "tags (number [any])" in done.printed
    assert "1 columns of numbers and 0 of categories are read, and 1 of several numbers a row" in done.printed
    assert done.metrics["val_rmse"] < 60, "their deviation is 200"
    given = np.full((3, 2, 3), 5, np.float32)
    given[:, 0, 2], given[2, 1, 0] = [3, 7, 7], np.nan
    found = ask(done.model, embedding=[*given], one=[0.5] * 3)["value"]
    assert found == pytest.approx([300, 700, 700], abs=120)
    report = evaluations.run(tmp_path / "evaluated", tmp_path / "dataset", done.model)
    assert report["metrics"]["rmse"] == pytest.approx(done.metrics["val_rmse"], rel=1e-3)


def test_several_numbers_a_row_are_no_target(tmp_path: Path) -> None:
    problem = str(refused("tabular", prepare_records(tmp_path / "dataset", several=True)))
    assert "the target 'y' has several values a row, [2]; tabular learns one" in problem


def test_without_two_classes_held_out_there_is_no_area_under_the_curve(files: dict[str, bytes], tmp_path: Path) -> None:
    head, *lines = files["test.csv"].splitlines(keepends=True)
    low = {**files, "test.csv": head + b"".join(line for line in lines if line.rstrip().endswith(b"low"))}
    done = train(prepare(tmp_path / "dataset", "band", low), tmp_path, epochs=1)
    assert done.status == 0, done.printed
    assert "val_accuracy" in done.metrics
    assert "val_auc" not in done.metrics


@pytest.mark.soak
def test_a_column_that_gives_much_is_missed_when_its_values_are_permuted_and_without_the_target_nothing_is_learnt(
    files: dict[str, bytes], classes: Trial, tmp_path: Path
) -> None:
    dataset = prepare(tmp_path / "dataset", "band", files)
    area = {
        column: train(dataset, tmp_path / column, permute=column).metrics["val_auc"]
        for column in ("hours_a_week", "temperature_c", "band")
    }
    assert area["temperature_c"] > 0.97
    assert area["hours_a_week"] < 0.85
    assert 0.3 < area["band"] < 0.7


@pytest.mark.parametrize(
    ("text", "options", "parameters", "says"),
    [
        (
            "note,pay\n" + "".join(f"a longer text about number {n} and more of it,{n}\n" for n in range(60)),
            {"features": {"note": {"kind": "text"}}},
            {},
            "the dataset has no column of numbers or of categories to learn from; its inputs are note (text); "
            "text-classification reads texts",
        ),
        (
            "a,pay\n" + "".join(f"{n},{-n}\n" for n in range(60)),
            {},
            {"target_scale": "log"},
            "which has no logarithm; use --set target_scale=standard",
        ),
        (
            "a,pay\n" + "".join(f"{n},{-n}\n" for n in range(60)),
            {},
            {"permute": "b"},
            "there is no column 'b' to permute; there is a, pay",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(
    tmp_path: Path, text: str, options: dict[str, Any], parameters: dict[str, Any], says: str
) -> None:
    prepare_dataset(tmp_path / "dataset", {"t.csv": text.encode()}, options=Options(target="pay", **options))
    assert says in str(refused("tabular", tmp_path / "dataset", **parameters))


def test_one_class_alone_is_refused_even_where_a_description_by_hand_says_so(tmp_path: Path) -> None:
    files = {"t.csv": b"a,pay\n" + b"".join(b"%d,no\n" % n for n in range(60))}
    target = Feature("pay", "category", "int64", role="target", classes=("no",))
    description = Description(
        modality="table",
        layout="table",
        features=(Feature("a", "number", "int64"), target),
        splits=(Split("train", 60),),
        split_rule=SplitRule("file"),
        files={"t.csv": "train"},
        table=Table("csv", ","),
    )
    prepare_dataset(tmp_path / "dataset", files, description)
    assert "has one class only ('no'); there is nothing to tell apart" in str(refused("tabular", tmp_path / "dataset"))
