"""The template on clips whose class is a motion that no single frame shows, and what it serves."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from modelyard.job.trial import Trial, prepare_dataset
from modelyard.layouts import clips
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.cells import cell
from modelyard.sdk.predicting.model import Input
from modelyard.templates.specs import SHIPPED
from tests.integration.templates.answers import ask, golden, refused, samples
from tests.support.warm import try_package

pytestmark = pytest.mark.timeout(300)

FRAMES, SIDE = 6, 16
STEPS = {"left": -2, "right": 2}


def clip(motion: str, random: np.random.Generator) -> bytes:
    """A bright square on noise that moves over the edge and comes in on the other side."""
    place = np.zeros((SIDE, SIDE), np.uint8)
    place[:5, :5] = 200
    place = np.roll(place, random.integers(0, SIDE, 2), (0, 1))
    noise = random.integers(0, 50, (SIDE, SIDE)).astype(np.uint8)
    frames = [Image.fromarray(np.roll(place, frame * STEPS[motion], 1) + noise) for frame in range(FRAMES)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100)
    return out.getvalue()


def files(count: int, split: str, seed: int) -> dict[str, bytes]:
    random = np.random.default_rng(seed)
    motions = [str(each) for each in random.choice(sorted(STEPS), count)]
    return {f"{split}/{motion}/{number}.gif": clip(motion, random) for number, motion in enumerate(motions)}


def train(dataset: Path, folder: Path, **parameters: Any) -> Trial:
    few = {"epochs": 8, "batch_size": 16, "units": 32, "frames": FRAMES, "learning_rate": 0.003}
    return try_package(SHIPPED / "video-classification", folder, dataset=dataset, **{**few, **parameters})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("motions") / "dataset"
    prepare_dataset(folder, files(480, "train", 0) | files(100, "test", 1))
    return folder


@pytest.fixture(scope="module")
def trial(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    done = train(dataset, tmp_path_factory.mktemp("trial"))
    assert done.status == 0, done.printed
    return done


def test_it_learns_a_motion_that_no_frame_shows(trial: Trial) -> None:
    assert trial.metrics["val_accuracy"] > 0.9


def test_while_it_learns_it_says_what_it_sees_in_a_few_held_out_clips(trial: Trial) -> None:
    told = samples(trial.printed)
    assert len(told) == 8
    for each in told:
        assert [path.split("/")[:2] for path, _, _ in each] == [["test", true] for _, _, true in each]
        assert {said for _, said, _ in each} <= {"left", "right"}
    assert sum(said == true for _, said, true in told[-1]) >= 3


def test_it_takes_decoded_frames_and_answers_probabilities_and_a_label(trial: Trial) -> None:
    description = json.loads((trial.model / "modelyard.model.json").read_text())
    assert (description["task"], description["classes"]) == ("video-classification", ["left", "right"])
    assert description["inputs"] == {"video": "video"}
    wanted = description["signatures"]["serving_default"]["inputs"]["video"]
    assert wanted == {"dtype": "uint8", "shape": [-1, FRAMES, SIDE, SIDE, 3]}
    kept = golden(trial.model)["serving_default/inputs/video"]
    found = ask(trial.model, video=list(kept))
    assert found["probabilities"].sum(-1) == pytest.approx(1.0)
    assert ask(trial.model, video=list(kept[:, ::-1]))["label"].tolist() != found["label"].tolist()


def test_a_client_decodes_a_file_into_what_the_model_takes_and_names_one_that_is_no_video(tmp_path: Path) -> None:
    wanted = Input("video", "uint8", (-1, FRAMES, SIDE, SIDE, 3), "video")
    data = clip("left", np.random.default_rng(7))
    assert cell(wanted, data).content == clips.decode(data, FRAMES, SIDE, SIDE).tobytes()
    (tmp_path / "broken.gif").write_bytes(data[:40])
    with pytest.raises(InvalidArgument, match=r"video: .*broken\.gif") as refusal:
        cell(wanted, tmp_path / "broken.gif")
    assert (refusal.value.reason, refusal.value.field) == ("VIDEO_UNUSABLE", "video")


@pytest.mark.soak
@pytest.mark.parametrize("network", ["lstm", "conv3d", "mean"])
def test_every_network_learns_it(dataset: Path, tmp_path: Path, network: str) -> None:
    done = train(dataset, tmp_path, network=network, epochs=16)
    assert done.status == 0, done.printed
    assert done.metrics["val_accuracy"] > 0.9


@pytest.mark.soak
@pytest.mark.parametrize("control", [{"order": "frozen"}, {"order": "shuffled"}])
def test_without_motion_nothing_is_left(dataset: Path, tmp_path: Path, control: dict[str, str]) -> None:
    done = train(dataset, tmp_path, **control)
    assert done.status == 0, done.printed
    assert done.metrics["val_accuracy"] < 0.75


def test_frames_that_are_too_small_are_refused_in_a_sentence(tmp_path: Path) -> None:
    prepare_dataset(tmp_path / "small", files(20, "train", 0))
    says = "frames of 8 × 8 pixels are too small, 12 × 12 are needed"
    assert says in str(refused("video-classification", tmp_path / "small", image_size=8))
