"""The template on short reviews whose class hangs on the order of their words, and what it serves."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import ask, golden, refused
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

NOUNS = ("plot", "acting", "music", "ending", "photography", "dialogue")


def reviews(count: int, seed: int) -> list[tuple[str, str]]:
    """`the plot is good not bad` praises, `… bad not good` does not: the same words in another order."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        praise = bool(random.integers(2))
        noun, filler = random.choice(NOUNS), " ".join(random.choice(NOUNS, int(random.integers(0, 4))))
        found.append(
            (f"The {noun} is {'GOOD, not bad' if praise else 'bad, not GOOD'} {filler}!", ("down", "up")[praise])
        )
    return found


def prepare(folder: Path, rows: dict[str, list[tuple[str, str]]], options: Options | None = None) -> Path:
    files = {
        f"{split}.jsonl": "".join(json.dumps({"review": text, "verdict": label}) + "\n" for text, label in of).encode()
        for split, of in rows.items()
    }
    prepare_dataset(folder, files, options=options)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = {"train": [*reviews(480, 0), ("", "up")], "test": [*reviews(120, 1), ("", "down")]}
    return prepare(tmp_path_factory.mktemp("reviews") / "dataset", rows)


def train(dataset: Path, folder: Path, **parameters: Any) -> Trial:
    few = {"epochs": 6, "batch_size": 16, "learning_rate": 0.003, "embedding": 16, "units": 16, "network": "cnn"}
    return try_package(SHIPPED / "text-classification", folder, dataset=dataset, **{**few, **parameters})


@pytest.fixture(scope="module")
def trial(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = train(dataset, tmp_path_factory.mktemp("trial"))
    assert done.status == 0, done.printed
    return done


def test_it_learns_what_hangs_on_the_order_of_words(trial: Trial) -> None:
    assert trial.metrics["val_accuracy"] > 0.95


def test_it_takes_plain_text_and_answers_probabilities_and_a_label(trial: Trial) -> None:
    found = ask(trial.model, review=["the music is good, not bad", "the MUSIC is bad not good", "music bad not good"])
    assert found["label"].tolist() == [b"up", b"down", b"down"]
    assert found["probabilities"].shape == (3, 2)
    assert found["probabilities"].sum(-1) == pytest.approx(1.0)
    description = json.loads((trial.model / "modelyard.model.json").read_text())
    assert description["task"] == "text-classification"
    assert description["classes"] == ["down", "up"]
    assert description["inputs"] == {"review": "text"}
    assert description["signatures"]["serving_default"]["inputs"] == {"review": {"dtype": "string", "shape": [-1]}}


def test_empty_unknown_long_and_broken_texts_have_an_answer_and_empty_ones_all_the_same(trial: Trial) -> None:
    strange = ["", "   ", "?!", "zzz qqq", "ΚΑΛΌ çok iyi 好", "good " * 5000, b"\xff\xfe good"]
    found = ask(trial.model, review=strange)["probabilities"]
    assert np.isfinite(found).all()
    assert (found[0] == found[1]).all()
    assert (found[0] == found[2]).all()


def test_what_is_kept_with_the_model_are_held_out_texts_and_their_classes(trial: Trial) -> None:
    kept = golden(trial.model)
    held_out = [text for text, _ in reviews(120, 1)] + [""]
    texts = [text.decode() for text in kept["serving_default/inputs/review"].tolist()]
    assert set(texts) <= set(held_out)
    assert len(kept["labels"]) == len(texts)


def test_where_a_word_stands_is_learnt_by_a_transformer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SHIPPED / "text-classification")
    readers = importlib.import_module("readers")
    model = readers.build("transformer", words=6, vocabulary=9, embedding=32, units=8, dropout=0.0, classes=2)
    assert (6, 32) in [tuple(weight.shape) for weight in model.trainable_weights]


@pytest.mark.parametrize("network", ["gru", "lstm", "transformer"])
@pytest.mark.soak
def test_every_network_that_sees_order_learns_it(dataset: Path, tmp_path: Path, network: str) -> None:
    done = train(dataset, tmp_path, network=network, epochs=12)
    assert done.status == 0, done.printed
    assert done.metrics["val_accuracy"] > 0.95


@pytest.mark.soak
def test_with_words_out_of_order_or_without_sight_of_it_nothing_is_left(dataset: Path, tmp_path: Path) -> None:
    shuffled = train(dataset, tmp_path / "shuffled", shuffle_words=True)
    blind = train(dataset, tmp_path / "blind", network="mean")
    for done in (shuffled, blind):
        assert done.status == 0, done.printed
        assert done.metrics["val_accuracy"] < 0.7


def test_held_out_texts_that_are_all_empty_judge_nothing_and_training_goes_on(tmp_path: Path) -> None:
    rows = {"train": reviews(40, 0), "test": [("", "up"), (" ", "down")] * 3}
    dataset = prepare(tmp_path / "dataset", rows, Options(target="verdict"))
    done = train(dataset, tmp_path, epochs=1, network="mean")
    assert done.status == 0, done.printed
    assert "the text 'review' is empty in all 6 rows of split 'test'; nothing is judged while training" in done.printed
    assert not [name for name in done.metrics if name.startswith("val_")]


@pytest.mark.parametrize(
    ("rows", "parameters", "says"),
    [
        ([("", "up"), (" ", "down")] * 20, {}, "the text 'review' is empty in all 40 rows of split 'train'"),
        (reviews(40, 0), {"text": "reviews"}, "the dataset has no text 'reviews'; it has review"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(
    tmp_path: Path, rows: list[tuple[str, str]], parameters: dict[str, Any], says: str
) -> None:
    dataset = prepare(tmp_path / "dataset", {"train": rows, "test": reviews(40, 1)})
    assert says in str(refused("text-classification", dataset, **parameters))
