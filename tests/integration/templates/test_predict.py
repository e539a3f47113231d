"""Predictions on real SavedModels and datasets, within this process: what becomes of each example."""

import io
import json
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from modelyard.job import code, running
from modelyard.job.channel import SilentChannel
from modelyard.job.errors import ModelUnsuitable
from modelyard.job.index import Index
from modelyard.job.messages import Checkpoint, JobSpec, Predicted, Text
from modelyard.job.session import Context
from modelyard.job.training import Stopped
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Description, Options, parse_description
from modelyard.layouts.detection import detect
from modelyard.layouts.reading import read
from modelyard.sdk.folder import scan
from modelyard.templates.fitting import Input
from modelyard.templates.predict import feeding
from modelyard.templates.predict.feeding import Feed
from modelyard.templates.specs import SHIPPED, get_template

pytestmark = pytest.mark.timeout(300)


class Worker(SilentChannel):
    """Hears what the job says; asks it to stop at a checkpoint."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.published = -1
        self.said: list[Any] = []
        self._stop_at = stop_at

    def send(self, message: Any) -> None:
        self.said.append(message)
        if isinstance(message, Checkpoint):
            self.published = message.step
            if self._stop_at is not None and message.step >= self._stop_at:
                self.stop.set()


def save(folder: Path, function: Any, specs: Sequence[Any], description: Any, name: str = "serving_default") -> Path:
    module = tf.Module()
    module.serve = tf.function(function, input_signature=list(specs))
    tf.saved_model.save(module, str(folder), signatures={name: module.serve})
    (folder / "modelyard.model.json").write_text(json.dumps({"format": 1, **description}))
    return folder


def predict(
    folder: Path, dataset: Path, model: Path, *, worker: Worker | None = None, resume: str = "", **parameters: Any
) -> list[dict[str, Any]]:
    """The lines, in order."""
    folder.mkdir(exist_ok=True)
    spec = JobSpec(
        "projects/p/jobs/j",
        1,
        str(SHIPPED / "predict"),
        "predict:main",
        -1,
        get_template("predict").complete(parameters),
        kind="prediction",
        dataset=str(dataset),
        input_model=str(model),
        dataset_version="projects/p/datasets/d/versions/2",
        resume=resume,
    )
    worker = worker or Worker()
    running.begin(Context(spec, folder, worker))
    code.run(SHIPPED / "predict", "predict:main")
    made = folder / "outputs/prediction"
    lines = [line for path in files(made) for line in path.read_text("utf-8").splitlines()]
    assert worker.said[-1] == Predicted(str(made), len(lines))
    return [json.loads(line) for line in lines]


def files(made: Path) -> list[Path]:
    return [made / path for path in described(made).files]


def described(made: Path) -> Description:
    return parse_description((made / "modelyard.dataset.json").read_bytes())


def png(brightness: int, size: int = 8) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((size, size), brightness, np.uint8)).save(out, "png")
    return out.getvalue()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 of one brightness each, in two folders and two splits; one is cut off behind its header."""
    tree = {f"train/{'dark' if n < 128 else 'light'}/{n:03}.png": png(n) for n in range(0, 255, 8)}
    tree |= {f"test/dark/{n:03}.png": png(n) for n in range(0, 80, 10)}
    tree["test/dark/020.png"] = png(20)[:60]
    folder = tmp_path_factory.mktemp("pictures") / "dataset"
    prepare_dataset(folder, tree)
    return folder


@pytest.fixture(scope="module")
def brightness(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of 4 × 4 -> how dark and how light they are."""

    def answer(image: Any) -> Any:
        light = tf.reduce_mean(tf.cast(image, tf.float32), (1, 2, 3)) / 255
        return {"probabilities": tf.stack([1 - light, light], 1)}

    spec = tf.TensorSpec((None, 4, 4, 1), tf.uint8, "image")
    return save(tmp_path_factory.mktemp("model"), answer, [spec], {"classes": ["dark", "light"]})


def test_every_picture_has_a_line_in_order_and_one_that_cannot_be_decoded_says_so(
    tmp_path: Path, pictures: Path, brightness: Path
) -> None:
    worker = Worker()
    lines = predict(tmp_path, pictures, brightness, worker=worker, batch_size=7, part_rows=20)
    assert [line["origin"] for line in lines if line["split"] == "test"] == [
        f"test/dark/{n:03}.png" for n in range(0, 80, 10)
    ]
    assert len({line["origin"] for line in lines}) == len(lines) == 40
    (broken,) = [line for line in lines if line["error"]]
    assert broken["origin"] == "test/dark/020.png"
    assert broken["error"] == "image: cannot be decoded: Invalid PNG data, size 60"
    (said,) = [message for message in worker.said if isinstance(message, Text)]
    assert said.text.startswith(
        "of 40 examples 1 have no answer; `error` in their lines says why:\n\n- test/dark/020.png"
    )
    assert (broken["label"], broken["probability"], broken["probabilities"]) == (None, None, None)
    for line in lines:
        if line is not broken:
            light = int(Path(line["origin"]).stem) / 255
            assert line["label"] == ("light" if light > 0.5 else "dark")
            assert line["probability"] == max(line["probabilities"])
            assert np.float32(line["probabilities"][1]) == pytest.approx(light, abs=1e-6)


def test_a_first_batch_without_any_answer_is_no_end(tmp_path: Path, brightness: Path) -> None:
    tree = {"train/dark/000.png": png(20)[:60], "train/dark/001.png": png(1), "train/light/250.png": png(250)}
    prepare_dataset(tmp_path / "dataset", tree)
    lines = predict(tmp_path / "job", tmp_path / "dataset", brightness, batch_size=1)
    assert [line["label"] for line in lines] == [None, "dark", "light"]


def test_what_it_makes_is_a_dataset_that_describes_itself(tmp_path: Path, pictures: Path, brightness: Path) -> None:
    lines = predict(tmp_path, pictures, brightness, batch_size=7, part_rows=20)
    made = tmp_path / "outputs/prediction"
    description = described(made)
    assert {name: feature.kind for name, feature in ((each.name, each) for each in description.features)} == {
        "split": "category",
        "origin": "id",
        "label": "category",
        "probability": "number",
        "probabilities": "text",
        "error": "text",
    }
    assert description.examples == {"train": 32, "test": 8}
    problems: list[Any] = []
    chunks = list(read(description, scan(made), lambda *problem: problems.append(problem)))
    assert (sum(len(chunk.origins) for chunk in chunks), problems) == (len(lines), [])
    stripped = {path: source for path, source in scan(made).items() if path.endswith(".jsonl")}
    found = detect(stripped, Options()).description
    assert (found.layout, found.modality, found.split_rule) == ("table", "table", description.split_rule)


def test_it_goes_on_behind_the_parts_that_were_kept_with_the_same_bytes(
    tmp_path: Path, pictures: Path, brightness: Path
) -> None:
    parameters: dict[str, Any] = {"batch_size": 3, "part_rows": 10, "checkpoint_every_s": 1e-9}
    whole = predict(tmp_path / "whole", pictures, brightness, **parameters)
    with pytest.raises(Stopped):
        predict(tmp_path / "first", pictures, brightness, worker=Worker(stop_at=20), **parameters)
    kept = tmp_path / "first" / "checkpoints" / "20"
    assert sorted(path.name for path in kept.iterdir()) == [
        "checkpoint.json",
        "train-00000.jsonl",
        "train-00001.jsonl",
    ]
    again = predict(tmp_path / "second", pictures, brightness, resume=str(kept), **parameters)
    assert again == whole
    one, other = (tmp_path / name / "outputs/prediction" for name in ("whole", "second"))
    assert [path.read_bytes() for path in files(one)] == [path.read_bytes() for path in files(other)]
    marked = kept / "train-00001.jsonl"
    marked.write_text(marked.read_text().replace("dark", "not asked again"))
    third = predict(tmp_path / "third", pictures, brightness, resume=str(kept), **parameters)
    assert {line["label"] for line in third[10:20]} == {"not asked again", "light"}
    assert (third[:10], third[20:]) == (whole[:10], whole[20:])


def test_large_examples_are_asked_about_in_small_batches_that_are_the_same_each_time(
    tmp_path: Path, pictures: Path, brightness: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture takes 16 bytes as the model gets it, and about 70 as it is stored."""
    monkeypatch.setattr(feeding, "BATCH_BYTES", 300)
    examples = Index(pictures).split("train")
    taken = Input("image", "uint8", (-1, 4, 4, 1))
    feed = Feed([taken], Index(pictures).features, {"image": "image"}, about={}, scale=1.0, k=1)
    sizes = examples.column("image").sizes + 16
    spans = [span.tolist() for span in feed.spans(examples, np.arange(32), 256)]
    assert list(chain(*spans)) == list(range(32))
    assert all(sizes[span].sum() <= 300 < sizes[[*span, span[-1] + 1]].sum() for span in spans[:-1])
    assert [len(span) for span in feed.spans(examples, np.arange(32), 2)] == [2] * 16
    monkeypatch.setattr(feeding, "BATCH_BYTES", 1)
    assert [len(span) for span in feed.spans(examples, np.arange(32), 256)] == [1] * 32
    lines = predict(tmp_path, pictures, brightness)
    assert [line["origin"] for line in lines if line["error"]] == ["test/dark/020.png"]


def test_checkpoints_copy_less_than_five_times_of_what_is_answered(tmp_path: Path) -> None:
    spec = JobSpec("projects/p/jobs/j", 1, ".", "predict", -1, checkpoint_every_s=0.0, dataset="")
    worker = Worker()
    context = Context(spec, tmp_path, worker)
    parts = context.parts(tmp_path / "answers")
    for done in range(1, 201):
        (tmp_path / "answers" / f"{done:05}").write_bytes(bytes(1000))
        parts.keep(done)
        # As if the copy had taken long.
        parts._copying_s = 1e9
    kept = [message.step for message in worker.said if isinstance(message, Checkpoint)]
    assert kept[:5] == [1, 2, 3, 4, 5]
    assert sum(kept) < 5 * 200
    assert max(after / before for before, after in pairwise(kept)) <= 2
    assert kept[-1] > 0.7 * 200


def test_interactions_give_a_line_a_user_with_as_many_items_as_are_asked_for(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 3},i{n},5\n" for n in range(7))
    prepare_dataset(tmp_path / "dataset", {"train.csv": f"user_id,item_id,rating\n{rows}".encode()})

    def recommend(user: Any, k: Any) -> Any:
        places = tf.strings.as_string(tf.range(k))
        items = user[:, tf.newaxis] + ":" + places[tf.newaxis]
        return {"items": items, "scores": tf.cast(tf.strings.length(items), tf.float32), "known": user == b"u1"}

    specs = [tf.TensorSpec((None,), tf.string, "user"), tf.TensorSpec((), tf.int32, "k")]
    model = save(tmp_path / "model", recommend, specs, {"task": "recommendation"}, "recommend")
    lines = predict(tmp_path / "run", tmp_path / "dataset", model, k=2, part_rows=2)
    assert [line["user"] for line in lines] == ["u0", "u1", "u2"]
    assert [line["origin"] for line in lines] == ["train.csv:2", "train.csv:3", "train.csv:4"]
    assert lines[1]["items"] == ["u1:0", "u1:1"]
    assert lines[1]["scores"] == [4.0, 4.0]
    assert [line["known"] for line in lines] == [False, True, False]


def test_a_model_that_fails_on_everything_is_no_dataset(tmp_path: Path, pictures: Path) -> None:
    def answer(image: Any) -> Any:
        tf.debugging.assert_less(image, tf.constant(0, tf.int32), "too light")
        return {"value": image[:, 0, 0, 0]}

    model = save(
        tmp_path / "model",
        lambda image: answer(tf.cast(image, tf.int32)),
        [tf.TensorSpec((None, 8, 8, 1), tf.uint8, "image")],
        {},
    )
    with pytest.raises(
        ModelUnsuitable, match=r"no example has an answer; the first one, train/dark/000\.png: the model fails"
    ):
        predict(tmp_path / "run", pictures, model, batch_size=4)
