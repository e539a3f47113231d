"""The template on sweeps that rise or fall, what it serves, and its evaluation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.trial import prepare_dataset
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import ask, golden, refused, samples
from tests.integration.templates.evaluations import run
from tests.integration.templates.recordings import RATE, sweep, wav
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)
SECONDS = 0.5
FEW: dict[str, Any] = {"epochs": 6, "batch_size": 16, "seconds": SECONDS, "learning_rate": 0.004}


def files(count: int = 48) -> dict[str, bytes]:
    random = np.random.default_rng(0)
    return {
        f"{split}/{name}/{number}.wav": wav(sweep(name == "rises", random))
        for split, many in (("train", count), ("test", count // 3))
        for name in ("falls", "rises")
        for number in range(many)
    }


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of its sounds are stereo at 44,100 samples a second; a held-out one is cut off behind its header."""
    folder = tmp_path_factory.mktemp("sweeps") / "dataset"
    random = np.random.default_rng(1)
    other = {
        f"train/{name}/other.wav": wav(sweep(name == "rises", random).repeat(5), rate=5 * RATE, channels=2)
        for name in ("falls", "rises")
    }
    broken = {"test/falls/00.flac": wav(sweep(False, random), form="FLAC")[:600]}
    prepare_dataset(folder, files() | other | broken)
    return folder


@pytest.fixture(scope="module")
def model(dataset: Path) -> Path:
    done = try_package(SHIPPED / "audio-classification", dataset.parent, dataset=dataset, **FEW)
    assert done.status == 0, done.printed
    return done.model


def test_it_learns_the_direction_of_a_pitch_from_sounds_of_several_rates(model: Path) -> None:
    description = json.loads((model / "modelyard.model.json").read_text())
    assert description["metrics"]["val_accuracy"] > 0.9
    assert description["audio"] == {"sample_rate": RATE, "seconds": SECONDS}
    assert description["inputs"] == {"audio": "audio", "audio_bytes": "audio"}
    assert description["classes"] == ["falls", "rises"]


def test_while_it_learns_it_says_what_it_hears_in_a_few_held_out_sounds(model: Path) -> None:
    told = samples((model.parents[1] / "printed").read_text())
    assert len(told) == FEW["epochs"]
    for each in told:
        assert [(path.rpartition("/")[0], true) for path, _, true in each] == [
            (f"test/{name}", name) for name in ("falls", "falls", "rises", "rises")
        ]
    assert sum(said == true for _, said, true in told[-1]) >= 3


def test_samples_and_files_get_the_same_answer_and_files_may_be_shorter_or_longer(model: Path) -> None:
    random = np.random.default_rng(2)
    heard = sweep(True, random)
    few = ask(model, audio=[heard])
    again = ask(model, "encoded", audio_bytes=[wav(heard), wav(np.concatenate([heard, heard])), wav(heard[:2000])])
    assert few["label"].tolist() == [b"rises"]
    assert again["probabilities"][0] == pytest.approx(few["probabilities"][0], abs=2e-2)
    assert again["probabilities"][1] == pytest.approx(again["probabilities"][0], abs=1e-5)
    assert set(golden(model)) >= {"serving_default/inputs/audio", "encoded/inputs/audio_bytes", "labels"}


@pytest.mark.parametrize(("form", "seen"), [({"rate": 44_100}, "44100"), ({"channels": 2}, "8000")])
def test_a_file_of_another_rate_or_in_stereo_is_refused_with_the_rate_named(
    model: Path, form: dict[str, int], seen: str
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        ask(
            model,
            "encoded",
            audio_bytes=[wav(np.zeros(4000) + 0.1, rate=form.get("rate", RATE), channels=form.get("channels", 1))],
        )
    assert f"a sound has {seen} samples a second in {form.get('channels', 1)} channel(s)" in str(caught.value)
    assert "the model takes 8,000 in one" in str(caught.value)


def test_its_evaluation_is_a_classification_whose_mistakes_can_be_heard(tmp_path: Path, model: Path) -> None:
    wrong = {path.replace("falls", "rises"): data for path, data in files(12).items() if path.startswith("test/falls")}
    prepare_dataset(tmp_path / "dataset", files(12) | {path.replace(".wav", "x.wav"): wrong[path] for path in wrong})
    found = run(tmp_path, tmp_path / "dataset", model)
    assert found["kind"] == "classification"
    assert found["metrics"]["accuracy"] == pytest.approx(2 / 3, abs=0.1)
    assert found["controls"][0]["name"] == "pieces of audio shuffled"
    source = found["mistakes"][0]["sound"]["source"]
    assert source.startswith("data:audio/wav;base64,")
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert f'<audio controls preload="metadata" src="{source}"></audio>' in page
    assert "media-src data:" in page


def test_too_little_of_a_sound_to_hear_anything_in_is_refused_in_a_sentence(dataset: Path) -> None:
    says = "0.01 s at 8,000 samples a second are too little to hear anything in"
    assert says in str(refused("audio-classification", dataset, seconds=0.01))


@pytest.mark.soak
def test_a_network_that_reads_in_order_learns_it_too(dataset: Path, tmp_path: Path) -> None:
    done = try_package(SHIPPED / "audio-classification", tmp_path, dataset=dataset, **FEW, network="gru")
    assert done.status == 0, done.printed
    assert done.metrics["val_accuracy"] > 0.9


@pytest.mark.soak
def test_labels_that_are_out_of_order_leave_nothing_to_hear(dataset: Path, tmp_path: Path) -> None:
    done = try_package(SHIPPED / "audio-classification", tmp_path, dataset=dataset, **FEW, shuffle_labels=True)
    assert done.status == 0, done.printed
    assert done.metrics["val_accuracy"] < 0.8
