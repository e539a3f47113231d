"""The template on sentences that a few rules make, and how it writes them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.evaluate import generation
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import refused
from tests.integration.templates.evaluations import run
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

WHO, DOES, WHAT = ("Anna", "Béla", "Cyril"), ("sees", "hears", "likes"), ("the sea", "a bell", "old songs")


def play(lines: int, seed: int) -> bytes:
    """Now and then an empty line."""
    random = np.random.default_rng(seed)
    said = [" ".join(str(random.choice(words)) for words in (WHO, DOES, WHAT)) + "." for _ in range(lines)]
    return "\n".join(line + "\n" * (number % 5 == 4) for number, line in enumerate(said)).encode() + b"\n"


def train(dataset: Path, folder: Path, **parameters: Any) -> Trial:
    few = {"epochs": 6, "batch_size": 16, "window": 32, "units": 48, "learning_rate": 0.02}
    return try_package(SHIPPED / "text-generation", folder, dataset=dataset, **{**few, **parameters})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plays") / "dataset"
    prepare_dataset(
        folder, {"train-one.txt": play(900, 0), "train-two.txt": play(300, 1), "test-three.txt": play(120, 2)}
    )
    return folder


@pytest.fixture(scope="module")
def trial(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = train(dataset, tmp_path_factory.mktemp("trial"))
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def signatures(trial: Trial) -> Any:
    loaded = tf.saved_model.load(str(trial.model))
    return {name: (function, loaded)[0] for name, function in loaded.signatures.items()} | {"": loaded}


def written(signatures: Any, prompt: str, *, length: int = 60, temperature: float = 0.7, seed: int = 1) -> str:
    answer = signatures["generate"](
        prompt=tf.constant([prompt]),
        length=tf.constant(length),
        temperature=tf.constant(temperature),
        seed=tf.constant(seed),
    )
    return bytes(answer["text"].numpy()[0]).decode()


def test_it_writes_the_sentences_that_it_has_read(signatures: Any) -> None:
    text = "Anna sees" + written(signatures, "Anna sees", length=600)
    lines = [line for line in text.split("\n")[:-1] if line]
    right = {f"{who} {does} {what}." for who in WHO for does in DOES for what in WHAT}
    assert sum(line in right for line in lines) > 0.9 * len(lines) > 15


def test_the_same_seed_writes_the_same_text_alone_beside_others_and_in_pieces(signatures: Any) -> None:
    text = written(signatures, "Béla ")
    assert len(text) == 60
    assert text == written(signatures, "Béla ")
    assert text != written(signatures, "Béla ", seed=2)
    both = signatures["generate"](
        prompt=tf.constant(["Cyril likes the", "Béla "]),
        length=tf.constant(60),
        temperature=tf.constant(0.7),
        seed=tf.constant(1),
    )
    assert bytes(both["text"].numpy()[1]).decode() == text
    so_far = ""
    while len(so_far) < 60:
        more = signatures["continue"](
            prompt=tf.constant(["Béla "]),
            so_far=tf.constant([so_far]),
            length=tf.constant(20),
            temperature=tf.constant(0.7),
            seed=tf.constant(1),
        )
        so_far += bytes(more["text"].numpy()[0]).decode()
    assert so_far == text


def test_without_heat_it_writes_what_is_likeliest_whatever_the_seed(signatures: Any) -> None:
    texts = {written(signatures, "Anna ", temperature=0.0, seed=seed) for seed in range(3)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"prompt": ""}, "the prompt is empty; give at least one character to go on from"),
        ({"prompt": "Жанна ßees"}, "the prompt has symbols that are nowhere in the training text:.*Жанß"),
        ({"prompt": "Anna", "length": 0}, "length is 1 to 10,000 symbols, and not.*0"),
        ({"prompt": "Anna", "temperature": -1.0}, "temperature is 0 .*, and not.*-1"),
    ],
)
def test_what_it_cannot_go_on_from_is_refused_in_a_sentence(signatures: Any, asked: dict[str, Any], says: str) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as refusal:
        written(signatures, **asked)
    assert re.search(says, str(refusal.value))


def test_an_empty_text_costs_nothing_alone_or_beside_others(signatures: Any) -> None:
    for texts in ([""], ["", "Anna sees"]):
        assert signatures["score"](text=tf.constant(texts))["bits"].numpy()[0] == 0


def test_the_report_has_bits_a_symbol_references_and_samples(dataset: Path, trial: Trial, tmp_path: Path) -> None:
    found = run(tmp_path, dataset, trial.model, split="test")
    assert found["kind"] == "text-generation"
    assert found["metrics"]["bits"] < 1.0 < found["floors"]["bits"]["value"]
    assert set(found["references"]) == {"2-gram", "6-gram", "xz"}
    assert [each["temperature"] for each in found["samples"]] == [0.5, 0.8, 1.1]
    assert found["characters"] == len(play(120, 2).decode().rstrip()) + 1
    assert found["unknown"] == 0
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "Samples" in page


FIRST = 0x4E00
"""Chinese symbols begin here."""


class Counting(tf.Module):
    """Every symbol costs two bits; it knows the first twenty Chinese ones."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def score(self, text: Any) -> dict[str, Any]:
        points = tf.strings.unicode_decode(text, "UTF-8")
        unknown = tf.reduce_sum(tf.cast(points >= FIRST + 20, tf.int32), axis=1)
        lengths = tf.cast(points.row_lengths(), tf.int32)
        return {"bits": 2.0 * tf.cast(lengths, tf.float32), "characters": lengths, "unknown": unknown}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "prompt"),
            tf.TensorSpec([], tf.int32, "length"),
            tf.TensorSpec([], tf.float32, "temperature"),
            tf.TensorSpec([], tf.int32, "seed"),
        ]
    )
    def generate(self, prompt: Any, length: Any, temperature: Any, seed: Any) -> dict[str, Any]:
        points = tf.strings.unicode_decode(prompt, "UTF-8")
        known = tf.reduce_all(points.values < FIRST + 20)
        with tf.control_dependencies([tf.debugging.Assert(known, ["unknown symbols"])]):
            return {"text": tf.identity(prompt)}


def test_rows_of_text_without_spaces_are_judged_up_to_so_many_symbols_from_all_over_the_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    texts = ["".join(chr(FIRST + number) for number in random.permutation(25)) for _ in range(100)]
    rows = [f"{number},{text * 2}\n" for number, text in enumerate(texts)]
    files = {f"{name}.csv": "".join(["number,text\n", *rows]).encode() for name in ("train", "test")}
    prepare_dataset(
        tmp_path / "dataset",
        files,
        options=Options(features={"number": {"kind": "number"}, "text": {"kind": "text"}}, target="number"),
    )
    counting = Counting()
    signatures = {"score": counting.score, "generate": counting.generate}
    tf.saved_model.save(counting, str(tmp_path / "model"), signatures=signatures)
    (tmp_path / "model/modelyard.model.json").write_text('{"format": 1, "task": "text-generation"}')
    monkeypatch.setattr(generation, "MOST", 2000)
    found = run(tmp_path, tmp_path / "dataset", tmp_path / "model", split="test")
    assert (found["examples"], found["characters"], found["unknown"]) == (40, 2000, 400)
    assert found["left_out"] == {"are not among the 2,000 symbols that are judged": 60}
    assert {each["name"] for each in found["documents"]} >= {"test.csv:2", "test.csv:101"}
    assert [each["name"] for each in found["controls"]] == ["symbols of each line shuffled", "16 symbols at a time"]
    prompt = "".join(symbol for symbol in (texts[0] * 2)[:40] if symbol < chr(FIRST + 20))
    assert {each["prompt"] for each in found["samples"]} == {prompt}


def test_the_interval_of_what_pieces_of_all_lengths_cost_is_around_it() -> None:
    random = np.random.default_rng(0)
    costs = [{"bits": 2.0 * 4096 + random.normal(), "characters": 4096.0} for _ in range(20)]
    costs += [{"bits": 9.0 * length, "characters": float(length)} for length in range(1, 20)]
    bits = sum(each["bits"] for each in costs) / sum(each["characters"] for each in costs)
    low, high = generation.interval(costs)
    assert low < bits < high < 2.1


def test_short_pieces_are_asked_many_at_once_and_long_ones_few() -> None:
    whole = "x" * generation.PIECE
    for pieces, sizes in (
        ([whole] * 9, [8, 1]),
        ([whole, *["x" * 10] * 20], [8, 13]),
        (["x" * 10] * 300, [generation.MOST_AT_ONCE, 300 - generation.MOST_AT_ONCE]),
        ([], []),
    ):
        batches = list(generation.batches(pieces))
        assert [len(each) for each in batches] == sizes
        assert [piece for each in batches for piece in each] == pieces


def test_samples_are_shown_while_it_learns(trial: Trial) -> None:
    assert trial.printed.count("sample: ") >= 2
    description = json.loads((trial.model / "modelyard.model.json").read_text())
    assert description["task"] == "text-generation"
    assert description["inputs"] == {"prompt": "text", "so_far": "text", "text": "text"}


@pytest.mark.soak
@pytest.mark.parametrize("network", ["lstm", "transformer"])
def test_every_network_writes(dataset: Path, tmp_path: Path, network: str) -> None:
    done = train(dataset, tmp_path, network=network, epochs=12, units=64, depth=2, learning_rate=0.005)
    assert done.status == 0, done.printed
    (tmp_path / "evaluation").mkdir()
    found = run(tmp_path / "evaluation", dataset, done.model, split="test")
    assert found["metrics"]["bits"] < 1.0
    loaded = tf.saved_model.load(str(done.model))
    text = written(dict(loaded.signatures), "Anna ")
    assert text == written(dict(loaded.signatures), "Anna ")


def test_too_little_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "dataset", {"train.txt": b"too short\n", "test.txt": b"also\n"})
    says = "split 'train' has 10 symbols of text, and a window takes 129"
    assert says in str(refused("text-generation", tmp_path / "dataset"))
