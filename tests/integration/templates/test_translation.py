"""The templates that write texts, on a small language whose words change their places, and on what the packages
installed here say of themselves."""

import json
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.channel import SilentChannel
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.evaluate import simple_writers
from modelyard.templates.sequences import tokens
from modelyard.templates.sequences.learning import judged
from modelyard.templates.sequences.pairs import load
from modelyard.templates.sequences.pairs import names as load_names
from modelyard.templates.sequences.transformer import AttentiveReader
from modelyard.templates.specs import SHIPPED
from tests.integration.templates import evaluations
from tests.integration.templates.answers import ask, golden, refused
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

THINGS = {"box": "caja", "car": "coche", "dog": "perro", "tree": "árbol", "file": "archivo", "tool": "herramienta"}
KINDS = {"red": "rojo", "small": "pequeño", "old": "viejo", "free": "libre"}
FEW: dict[str, Any] = {
    "epochs": 14,
    "batch_size": 16,
    "learning_rate": 0.006,
    "units": 32,
    "dropout": 0.1,
    "beams": 3,
    "judged": 100,
}


def pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """ "the red box (of Zbnu)" is "caja rojo (de Zbnu)": adjectives stand behind, names are copied."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        thing, kind = str(random.choice([*THINGS])), str(random.choice([*KINDS]))
        name = "".join(random.choice(list("abcdefghijklmnop"), 5)).capitalize()
        found.append((f"the {kind} {thing} (of {name})", f"{THINGS[thing]} {KINDS[kind]} (de {name})"))
    return found


def prepare(folder: Path, splits: dict[str, list[tuple[str, str]]]) -> Path:
    files = {
        f"{split}.{language}": "".join(f"{pair[place]}\n" for pair in rows).encode()
        for split, rows in splits.items()
        for place, language in enumerate(("en", "es"))
    }
    prepare_dataset(folder, files)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = pairs(480, 0)
    splits = {"train": [*train, ("\u200b", "vacío")], "test": [*pairs(120, 1), *train[:5]]}
    return prepare(tmp_path_factory.mktemp("pairs") / "dataset", splits)


@pytest.fixture(scope="module")
def trial(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = try_package(SHIPPED / "translation", tmp_path_factory.mktemp("trial"), dataset=dataset, **FEW)
    assert done.status == 0, done.printed
    return done


def test_it_learns_where_words_go_and_copies_names_that_it_has_never_seen(trial: Trial) -> None:
    assert trial.metrics["val_bleu"] > 90
    found = ask(trial.model, source=["the old tree (of Qwxyz)", "the free tool (of Ω9)"])
    assert [text.decode() for text in found["text"].tolist()] == ["árbol viejo (de Qwxyz)", "herramienta libre (de Ω9)"]
    assert (found["score"] < 0).all()


def test_several_texts_written_beside_each_other_are_ordered_and_none_is_there_twice(trial: Trial) -> None:
    loaded = tf.saved_model.load(str(trial.model))
    asked = tf.constant(["the old tree (of Nobody)", "the red car"])
    greedy, beam = (loaded.signatures[name](source=asked) for name in ("greedy", "beam"))
    assert greedy["text"].numpy()[0] == beam["text"].numpy()[0] == "árbol viejo (de Nobody)".encode()
    assert beam["texts"].shape == beam["scores"].shape == (2, 3)
    for texts in beam["texts"].numpy().tolist():
        assert len(set(texts)) == 3


def test_an_empty_text_stays_empty_and_strange_ones_have_an_answer(trial: Trial) -> None:
    strange = ["", "   ", "?!", "zzz qqq", "ΚΑΛΌ çok iyi 好", "the red box " * 500, b"\xff\xfe red", "▸◂"]
    found = ask(trial.model, source=strange)
    assert found["text"][:2].tolist() == [b"", b""]
    assert np.isfinite(found["score"]).all()
    assert all(text.decode() for text in found["text"][2:7].tolist())


def test_each_text_is_answered_as_if_it_were_alone(trial: Trial) -> None:
    texts = [source for source, _ in pairs(20, 3)] + ["", "box", "the red box " * 9]
    say = tf.saved_model.load(str(trial.model)).signatures["serving_default"]
    together = say(source=tf.constant(texts))
    for number, text in enumerate(texts):
        alone = say(source=tf.constant([text]))
        assert alone["text"].numpy()[0] == together["text"].numpy()[number]
        assert alone["score"].numpy()[0] == pytest.approx(together["score"].numpy()[number], abs=1e-4)


def test_what_is_kept_with_the_model_are_held_out_texts_and_it_says_what_it_takes(trial: Trial) -> None:
    kept = golden(trial.model)
    held_out = {source for source, _ in pairs(120, 1)} | {""}
    assert {text.decode() for text in kept["serving_default/inputs/source"].tolist()} <= held_out
    description = json.loads((trial.model / "modelyard.model.json").read_text())
    assert description["task"] == "translation"
    assert description["inputs"] == {"source": "text"}
    assert set(description["signatures"]) == {"serving_default", "greedy", "beam"}


def test_a_pair_with_an_empty_side_is_left_out_and_named(trial: Trial) -> None:
    assert "1 of the 481 pairs of split train are left out:\n\n- train.en:481 has no token in 'source'" in trial.printed


def test_samples_are_shown_while_it_learns(trial: Trial) -> None:
    events = b"".join(path.read_bytes() for path in (trial.outputs / "run").rglob("*tfevents*"))
    assert b"samples" in events
    assert b"in brackets what it should be" in events


def test_an_evaluation_shows_texts_side_by_side_and_what_ignoring_the_source_would_reach(
    trial: Trial, dataset: Path, tmp_path: Path
) -> None:
    found = evaluations.run(tmp_path, dataset, trial.model, split="test")
    assert found["kind"] == "writing"
    assert found["examples"] == 120
    assert found["left_out"] == {"have a source that is in train": 5}
    assert found["metrics"]["bleu"] > 90
    assert found["floors"]["bleu"]["value"] < 60
    another, shuffled = found["controls"]
    assert another["name"] == "another's source"
    assert another["value"] < another["as_is"] / 2
    assert shuffled["value"] < shuffled["as_is"]
    assert [each["chrf"] for each in found["worst"]] == sorted(each["chrf"] for each in found["worst"])
    assert "Worst answers" in (tmp_path / "outputs/report/report.html").read_text()


@pytest.mark.parametrize(("task", "learnt"), [("translation", 7), ("summarisation", 0)])
def test_no_more_of_train_is_read_than_floors_are_made_of(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, learnt: int
) -> None:
    def echo(source: Any) -> dict[str, Any]:
        return {"text": source}

    given = []
    floors = simple_writers.floors

    def watched(task: str, sources: Any, references: Any, train: Any) -> Any:
        given.append(len(train))
        return floors(task, sources, references, train)

    monkeypatch.setattr(simple_writers, "floors", watched)
    monkeypatch.setattr(simple_writers, "MOST_PAIRS", 7)
    model = evaluations.save(tmp_path / "model", echo, tf.TensorSpec((None,), tf.string, "source"), names=None)
    (model / "modelyard.model.json").write_text(json.dumps({"format": 1, "task": task}))
    found = evaluations.run(tmp_path, dataset, model, split="test")
    assert given == [learnt]
    assert found["left_out"] == {"have a source that is in train": 5}


@pytest.mark.soak
def test_a_writer_that_does_not_see_the_source_is_no_better_than_chance(dataset: Path, tmp_path: Path) -> None:
    done = try_package(SHIPPED / "translation", tmp_path, dataset=dataset, **FEW, blind=True)
    assert done.status == 0, done.printed
    assert done.metrics["val_bleu"] < 40


@pytest.mark.parametrize("units", [40, 100])
def test_a_transformer_may_have_any_width(units: int) -> None:
    reader = AttentiveReader(units, depth=1, most=5, dropout=0.0)
    assert reader(tf.zeros((2, 3, units)), tf.ones((2, 3), tf.bool)).shape == (2, 3, units)


@pytest.mark.soak
def test_a_transformer_learns_it_too(dataset: Path, tmp_path: Path) -> None:
    few: dict[str, Any] = {**FEW, "network": "transformer", "epochs": 60, "learning_rate": 0.003}
    done = try_package(SHIPPED / "translation", tmp_path, dataset=dataset, **few)
    assert done.status == 0, done.printed
    assert done.metrics["val_bleu"] > 80


@pytest.mark.soak
def test_without_copying_a_name_that_it_has_never_seen_is_lost(dataset: Path, trial: Trial, tmp_path: Path) -> None:
    done = try_package(SHIPPED / "translation", tmp_path, dataset=dataset, **FEW, copy=False)
    assert done.status == 0, done.printed
    (text,) = ask(done.model, source=["the old tree (of Qwxyz)"])["text"].tolist()
    assert "Qwxyz" not in text.decode()
    assert done.metrics["val_bleu"] < trial.metrics["val_bleu"]


def test_a_summary_is_learnt_from_what_installed_packages_say_of_themselves(tmp_path: Path) -> None:
    rows = [
        {"about": text.split("\n\n", 1)[-1][:600] or summary, "synopsis": summary}
        for each in distributions()
        if (summary := each.metadata["Summary"] or "")
        and (text := str(each.metadata.json.get("description") or summary))
    ]
    assert len(rows) > 20
    files = {
        f"{split}.jsonl": "".join(json.dumps(row) + "\n" for row in some).encode()
        for split, some in {"train": rows[5:], "test": rows[:5]}.items()
    }
    options = Options(target="synopsis", features={name: {"kind": "text"} for name in ("about", "synopsis")})
    prepare_dataset(tmp_path / "dataset", files, options=options)
    few: dict[str, Any] = {"epochs": 1, "batch_size": 16, "units": 16, "beams": 2}
    done = try_package(SHIPPED / "summarisation", tmp_path / "trial", dataset=tmp_path / "dataset", **few)
    assert done.status == 0, done.printed
    assert 0 <= done.metrics["val_rouge_l"] <= 1
    found = ask(done.model, source=[rows[0]["about"], ""])
    assert found["text"].tolist()[1] == b""


@pytest.mark.parametrize(
    ("template", "splits", "parameters", "says"),
    [
        (
            "translation",
            {"train": pairs(20, 0), "test": pairs(5, 1)},
            {"text": "english"},
            "has no text 'english'; it has source",
        ),
        (
            "summarisation",
            {"train": [("\u200b", "one")] * 9, "test": pairs(5, 1)},
            {},
            "the text 'source' is empty in all 9 rows of split 'train'",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(
    tmp_path: Path, template: str, splits: dict[str, list[tuple[str, str]]], parameters: dict[str, Any], says: str
) -> None:
    dataset = prepare(tmp_path / "dataset", splits)
    assert says in str(refused(template, dataset, **parameters))


@pytest.mark.parametrize(
    ("held_out", "says"),
    [
        (
            [("\u200b", "vacío")] * 3,
            "one side of every pair of split 'test' is empty; nothing is judged while training",
        ),
        (pairs(20, 0)[:3], "every source of split 'test' is in 'train' too; nothing is judged while training"),
    ],
)
def test_what_is_held_out_and_says_nothing_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held_out: list[tuple[str, str]], says: str
) -> None:
    prepare(tmp_path / "dataset", {"train": pairs(20, 0), "test": held_out})
    spec = JobSpec(job="j", attempt=1, code=str(tmp_path), entry="train", fd=-1, dataset="dataset")
    context = Context(spec, tmp_path, SilentChannel())
    names = load_names(context, "translation", "")
    assert judged(context, load(context, "train", names), names, 100) is None
    assert says in capsys.readouterr().out


def test_texts_are_cut_into_tokens_and_put_together_as_they_were() -> None:
    texts = ["l'editor C++ 3.2-beta, e “altro”…", "X/Y & (Z) - ((a))!", "", "¿Hasta cuándo? 好 世界。ok", "--help a  b"]
    cut = tokens.cut(tf.constant(texts))
    joined = [text.decode() for text in tokens.join(cut.to_tensor("")).numpy().tolist()]
    assert joined == [" ".join(text.split()) for text in texts]
    assert [token.decode() for token in cut.to_list()[0][:6]] == ["l", "▸'◂", "editor", "C", "▸+", "▸+"]
