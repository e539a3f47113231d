"""Text and speech recognition on plates and telephone keys, what they serve, and their evaluation."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.specs import SHIPPED
from modelyard.templates.transcripts.alphabet import Alphabet
from modelyard.templates.transcripts.examples import learnable
from tests.integration.templates.answers import ask, refused, samples
from tests.integration.templates.evaluations import run, save
from tests.integration.templates.recordings import dialled, plate, texts, wav
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)
TEXT = Options(features={"transcript": {"kind": "text", "role": "target"}})
COUNTS = (240, 48)
EPOCHS = 12


def table(kind: str, suffix: str, examples: dict[str, list[tuple[str, bytes]]]) -> dict[str, bytes]:
    """`<split>.csv` beside the files that it names."""
    found: dict[str, bytes] = {}
    for split, rows in examples.items():
        names = [f"{split}/{number:03}.{suffix}" for number in range(len(rows))]
        lines = [f"{name},{text}" for name, (text, _) in zip(names, rows, strict=True)]
        found[f"{split}.csv"] = "\n".join([f"{kind},transcript", *lines, ""]).encode()
        found |= {name: data for name, (_, data) in zip(names, rows, strict=True)}
    return found


def plates(symbols: str = "ABC123", counts: tuple[int, int] = COUNTS) -> dict[str, list[tuple[str, bytes]]]:
    random = np.random.default_rng(0)
    train, test = ([(text, plate(text, random)) for text in some] for some in texts(symbols, counts, random))
    return {"train": train, "test": test}


def calls(counts: tuple[int, int] = COUNTS) -> dict[str, list[tuple[str, bytes]]]:
    random = np.random.default_rng(0)
    train, test = ([(text, wav(dialled(text, random))) for text in some] for some in texts("0258", counts, random))
    return {"train": train, "test": test}


def prepared(folder: Path, files: dict[str, bytes]) -> Path:
    prepare_dataset(folder, files, options=TEXT)
    return folder


def learnt(template: str, dataset: Path, folder: Path, **more: Any) -> Trial:
    few: dict[str, Any] = {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.006, "units": 24, "augment": "none"}
    done = try_package(SHIPPED / template, folder, dataset=dataset, **{**few, **more})
    assert done.status == 0, done.printed
    return done


@pytest.fixture(scope="module")
def plates_trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """One of the transcripts needs more steps than its picture has, and a symbol of the alphabet is in none of them."""
    examples = plates()
    examples["train"][5] = ("A" * 9, examples["train"][5][1])
    dataset = prepared(tmp_path_factory.mktemp("plates") / "dataset", table("image", "png", examples))
    return learnt("text-recognition", dataset, dataset.parent, alphabet="ABC123Ñ")


@pytest.fixture(scope="module")
def calls_trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """One of the sounds is not there, one is in stereo at 44,100 samples a second, and one is longer than the rest."""
    examples = calls()
    examples["train"][9] = ("0" * 40, wav(dialled("0" * 40, np.random.default_rng(2))))
    mono = dialled("0852", np.random.default_rng(1), rate=44_100)
    examples["train"][7] = ("0852", wav(mono, rate=44_100, channels=2))
    files = table("audio", "wav", examples)
    del files["train/003.wav"]
    dataset = prepared(tmp_path_factory.mktemp("calls") / "dataset", files)
    return learnt("speech-recognition", dataset, dataset.parent)


@pytest.fixture(scope="module")
def read(plates_trial: Trial) -> Path:
    return plates_trial.model


@pytest.fixture(scope="module")
def heard(calls_trial: Trial) -> Path:
    return calls_trial.model


def test_plates_are_read_as_pixels_and_as_files(read: Path) -> None:
    description = json.loads((read / "modelyard.model.json").read_text())
    assert description["metrics"]["val_cer"] < 0.1
    assert (description["task"], description["inputs"]) == (
        "text-recognition",
        {"image": "image", "image_bytes": "image"},
    )
    random = np.random.default_rng(3)
    wanted = ["A1", "B2C", "331A", "CAB"]
    found = ask(read, "encoded", image_bytes=[plate(text, random) for text in wanted])
    assert sum(said == text.encode() for said, text in zip(found["transcript"].tolist(), wanted, strict=True)) >= 3
    assert ((found["confidence"] > 0) & (found["confidence"] <= 1)).all()


def test_what_is_dialled_is_written_down_and_the_beams_begin_with_it(heard: Path) -> None:
    description = json.loads((heard / "modelyard.model.json").read_text())
    assert description["metrics"]["val_cer"] < 0.1
    samples = description["signatures"]["serving_default"]["inputs"]["audio"]["shape"][1]
    random = np.random.default_rng(3)
    calls = [dialled(text, random) for text in ("0852", "22", "508")]
    padded = [np.pad(call, (0, samples))[:samples] for call in calls]
    best, beams = ask(heard, audio=padded), ask(heard, "beam", audio=padded)
    assert (
        ask(heard, "encoded", audio_bytes=[wav(call) for call in calls])["transcript"].tolist()
        == best["transcript"].tolist()
    )
    assert best["transcript"].tolist() == [b"0852", b"22", b"508"]
    assert beams["transcripts"][:, 0].tolist() == best["transcript"].tolist()
    assert (np.diff(beams["scores"], axis=1) <= 0).all()
    assert all(len(set(row)) == len(row) for row in beams["transcripts"].tolist())


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_an_evaluation_counts_edits_and_aligns_the_worst_strings(
    tmp_path: Path, kind: str, read: Path, heard: Path
) -> None:
    examples, suffix, model = (plates(), "png", read) if kind == "image" else (calls(), "wav", heard)
    text, data = examples["test"][0]
    examples["test"][0] = (text + "2", data)
    dataset = prepared(tmp_path / "dataset", table(kind, suffix, examples))
    found = run(tmp_path, dataset, model)
    assert (found["kind"], found["split"], found["examples"]) == ("transcription", "test", COUNTS[1])
    assert 0 < found["metrics"]["cer"] < 0.12
    assert found["metrics"]["exact"] > 0.7
    assert found["floors"]["cer"]["value"] > 0.5
    assert found["controls"][0]["value"] > 0.5 > found["controls"][0]["as_is"]
    lacking = next(each for each in found["mistakes"] if each["example"] == 0)
    assert ["2", ""] in lacking["aligned"] or lacking["edits"] >= 1
    assert ("sound" in lacking) == (kind == "audio")
    page = (tmp_path / "outputs/report/report.html").read_text()
    assert "Worst strings" in page
    assert "<span class=off>" in page


SHORT: dict[str, Any] = {"epochs": 1, "units": 4}


@pytest.mark.parametrize(
    ("symbols", "parameters", "says"),
    [
        ("AB1", {"alphabet": "A"}, "examples of split 'train' can't be learnt; train.csv:2 has the transcript"),
        ("AB1", {"image_size": 8}, "pictures of 8 × 8 pixels are too small to be read; 16 × 16 are needed"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(
    tmp_path: Path, symbols: str, parameters: dict[str, Any], says: str
) -> None:
    dataset = prepared(tmp_path / "dataset", table("image", "png", plates(symbols, (12, 4))))
    assert says in str(refused("text-recognition", dataset, **SHORT, **parameters))


def test_a_label_that_is_longer_than_the_time_steps_allow_is_named_and_the_rest_goes_on(plates_trial: Trial) -> None:
    assert f"1 of {COUNTS[0]} examples of split train are left out:" in plates_trial.printed
    assert (
        "train.csv:7 has the transcript 'AAAAAAAAA', which needs 17 steps of time; the network has 16: wider pictures"
    ) in plates_trial.printed


def test_what_is_held_out_is_judged_as_far_as_it_can_be_learnt_and_nothing_is_copied() -> None:
    said: list[str] = []
    context: Any = SimpleNamespace(example_path="{}/{}".format, report_text=lambda name, text: said.append(text))
    pictures = np.zeros((3, 8), np.uint8)
    found = learnable(context, "test", pictures, ["AB", "Z", "AAAA"], Alphabet(("A", "B")), 4, wider="wider")
    assert found.inputs is pictures
    assert (found.rows.tolist(), found.labels.tolist()) == ([0], [[1, 2]])
    assert "2 of 3 examples of split test are left out:\n\n- test/1 has the transcript 'Z' with 'Z'" in said[0]


def test_where_nothing_that_is_held_out_can_be_learnt_nothing_is_judged_and_training_goes_on(tmp_path: Path) -> None:
    examples = plates("AB1", (12, 4))
    examples["test"] = [("Z", data) for _, data in examples["test"]]
    dataset = prepared(tmp_path / "dataset", table("image", "png", examples))
    done = learnt("text-recognition", dataset, tmp_path, **SHORT)
    assert "4 of 4 examples of split test are left out; nothing is judged while training:" in done.printed
    assert set(done.metrics) == {"loss", "cer"}


def test_a_symbol_of_the_alphabet_that_no_transcript_has_is_named_and_the_rest_goes_on(plates_trial: Trial) -> None:
    assert (
        "6 symbols: '1' '2' '3' 'A' 'B' 'C'; 'Ñ' left out: asked for in parameters.alphabet, and in no transcript of "
        "split 'train'"
    ) in plates_trial.printed


def test_a_transcript_without_its_sound_is_named_and_the_rest_goes_on(calls_trial: Trial) -> None:
    folder = kept(calls_trial)
    (problem,) = [json.loads(line) for line in (folder / "problems.jsonl").read_text().splitlines()]
    assert problem == {"path": "train.csv", "row": 5, "reason": "column 'audio': there is no file train/003.wav"}
    assert json.loads((folder / "index.json").read_text())["splits"] == {"train": COUNTS[0] - 1, "test": COUNTS[1]}


def test_a_sound_that_is_longer_than_what_is_heard_of_it_is_named_and_the_rest_goes_on(calls_trial: Trial) -> None:
    assert "train.csv:11 is longer than what is heard of it, so its transcript says more" in calls_trial.printed


def test_the_control_swaps_with_any_example_not_with_the_next_one_that_often_says_the_same(tmp_path: Path) -> None:
    def by_brightness(image: Any) -> Any:
        light = tf.reduce_mean(tf.cast(image, tf.float32), (1, 2, 3)) > 127
        return {"transcript": tf.where(light, "light", "dark")}

    rows = [("dark" if shade < 128 else "light", grey(shade)) for shade in range(0, 250, 10)]
    dataset = prepared(tmp_path / "dataset", table("image", "png", {"train": rows, "test": rows}))
    model = save(tmp_path / "model", by_brightness, tf.TensorSpec((None, 8, 8, 1), tf.uint8, "image"))
    (model / "modelyard.model.json").write_text('{"format": 1, "task": "text-recognition"}')
    (control,) = run(tmp_path, dataset, model, split="test")["controls"]
    assert control["as_is"] == 0
    assert control["value"] > 0.3


def grey(shade: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8), shade, np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("kind", ["image", "audio"])
def test_while_it_learns_it_is_shown_what_is_read_and_what_it_should_be(
    kind: str, plates_trial: Trial, calls_trial: Trial
) -> None:
    trial, examples = (plates_trial, plates()) if kind == "image" else (calls_trial, calls())
    told = samples(trial.printed)
    assert len(told) == EPOCHS
    wanted = [examples["test"][row][0] for row in (0, 15, 31, 47)]
    assert [true for *_, true in told[0]] == [true for *_, true in told[-1]] == wanted
    assert right(told[-1]) >= 3 > right(told[0])


def right(told: list[tuple[str, str, str]]) -> int:
    return sum(said == true for _, said, true in told)


def kept(trial: Trial) -> Path:
    """What a trial has learnt from."""
    return trial.model.parent.parent / "dataset"


@pytest.mark.soak
@pytest.mark.parametrize(
    ("template", "parameters"),
    [
        ("text-recognition", {"network": "lstm"}),
        ("text-recognition", {"network": "cnn"}),
        ("text-recognition", {"augment": "shift"}),
        ("speech-recognition", {"network": "lstm"}),
        ("speech-recognition", {"network": "cnn"}),
        ("speech-recognition", {"layers": 2}),
    ],
)
def test_the_other_networks_learn_it_too(
    tmp_path: Path, plates_trial: Trial, calls_trial: Trial, template: str, parameters: dict[str, Any]
) -> None:
    trial = plates_trial if template == "text-recognition" else calls_trial
    done = learnt(template, kept(trial), tmp_path, **{**parameters, "epochs": 2 * EPOCHS})
    assert done.metrics["val_cer"] < 0.2


@pytest.mark.soak
@pytest.mark.parametrize("template", ["text-recognition", "speech-recognition"])
def test_transcripts_that_are_out_of_order_leave_nothing_to_learn(
    tmp_path: Path, plates_trial: Trial, calls_trial: Trial, template: str
) -> None:
    trial = plates_trial if template == "text-recognition" else calls_trial
    assert learnt(template, kept(trial), tmp_path, shuffle_labels=True).metrics["val_cer"] > 0.5
