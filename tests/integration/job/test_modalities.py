"""What a job's code sees of data of each kind, in this process."""

import io
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from PIL import Image

from modelyard.job import columns, data, scratch
from modelyard.job.channel import SilentChannel
from modelyard.job.errors import DatasetUnsuitable, NoRoom, TooLarge
from modelyard.job.failures import classify, describe
from modelyard.job.known import Known
from modelyard.job.messages import FailureClass, JobSpec
from modelyard.job.session import Context
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from tests.support.sounds import of_unknown_length
from tests.support.videos import of, turned, video

TEXTS = b"text,label\n" + b"".join(
    b"word %d %s,%s\n" % (n, b"yes" if n % 2 else b"no", b"ab"[n % 2 :][:1]) for n in range(80)
)
ROWS = b"age,job,pay\n" + b"".join(
    b"%s,%s,%s\n" % (b"%d" % n if n % 7 else b"", b"xy"[n % 2 :][:1], b"lh"[n % 2 :][:1]) for n in range(80)
)


def job(folder: Path, files: dict[str, bytes], options: Options | None = None, seed: int = 0) -> Context:
    if not (folder / "data").exists():
        prepare_dataset(folder / "data", files, options=options)
    spec = JobSpec(job="j", attempt=1, code=str(folder), entry="train", fd=-1, dataset="data", seed=seed)
    return Context(spec, folder, SilentChannel())


def sound(rate: int, samples: int, kind: str = "WAV") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, 0.5 * np.sin(2 * np.pi * 440 * np.arange(samples) / rate), rate, format=kind)
    return out.getvalue()


def clip(shade: int) -> bytes:
    frames = [Image.fromarray(np.full((10, 20, 3), shade + 40 * step, np.uint8)) for step in range(5)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return out.getvalue()


def test_texts_are_strings_in_the_order_of_the_seed(tmp_path: Path) -> None:
    context = job(tmp_path, {"t.csv": TEXTS})
    texts, labels = context.arrays("train")
    assert (context.modality, context.classes, texts[0], labels.dtype) == ("text", ("a", "b"), b"word 0 no", np.int64)

    def order(seed: int) -> list[bytes]:
        batches = job(tmp_path, {}, seed=seed).dataset("train", batch_size=16)
        return [text for batch, _ in batches.as_numpy_iterator() for text in batch.tolist()]

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == sorted(texts.tolist())


def test_a_table_is_a_dict_and_a_missing_number_is_nan(tmp_path: Path) -> None:
    context = job(tmp_path, {"t.csv": ROWS}, Options(target="pay"))
    (inputs, target) = next(context.dataset("train", batch_size=8, shuffle=False).as_numpy_iterator())
    assert (set(inputs), inputs["age"].dtype, target.shape) == ({"age", "job"}, np.float32, (8,))
    assert np.isnan(inputs["age"][0])
    assert inputs["job"][0] in (b"x", b"y")
    assert context.arrays("train", columns=["age"]).shape == (context.splits["train"],)
    with pytest.raises(DatasetUnsuitable, match="did you mean 'age'"):
        context.arrays("train", columns=["agee"])


def test_sounds_of_every_file_and_rate_become_one_form(tmp_path: Path) -> None:
    files = {f"{label}/{n}.wav": sound(8000 * (1 + n % 2), 8000) for label in "xy" for n in range(8)}
    files = {f"train/{path}": data for path, data in files.items()}
    files["train/x/f.flac"] = sound(16000, 3000, "FLAC")
    context = job(tmp_path, files)
    with pytest.raises(DatasetUnsuitable, match="8,000 and 16,000 samples a second"):
        context.dataset("train", batch_size=4, seconds=1.0)
    audio, _ = context.arrays("train", sample_rate=16000, seconds=0.25)
    assert (audio.shape[1], audio.dtype) == (4000, np.float32)
    flac = next(row for row in range(len(audio)) if context.example_path("train", row) == "train/x/f.flac")
    assert np.abs(audio[flac, 3000:]).max() == 0
    ideal = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 16000)
    assert all(np.abs(row - ideal)[200:2800].max() < 1e-3 for row in audio)


def test_a_sound_of_unknown_length_may_be_the_longest(tmp_path: Path) -> None:
    files = {f"train/{label}/{n}.wav": sound(8000, 4000) for label in "xy" for n in range(4)}
    files["train/x/streamed.flac"] = of_unknown_length(sound(8000, 12_000, "FLAC"))
    context = job(tmp_path, files)
    audio, _ = context.arrays("train")
    assert audio.shape == (9, 12_000)
    row = next(row for row in range(9) if context.example_path("train", row) == "train/x/streamed.flac")
    assert np.abs(audio[row] - 0.5 * np.sin(2 * np.pi * 440 * np.arange(12_000) / 8000)).max() < 1e-3


def test_stereo_becomes_the_mean_of_its_channels_at_the_rate_that_is_asked_for(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 44_100)
    files = {f"train/{label}/{n}.wav": sound(16000, 8000) for label in "xy" for n in range(4)}
    out = io.BytesIO()
    soundfile.write(out, np.stack([0.9 * tone, 0.1 * tone], 1), 44_100, format="WAV")
    files["train/x/stereo.wav"] = out.getvalue()
    context = job(tmp_path, files)
    audio, _ = context.arrays("train", sample_rate=16000, seconds=0.25)
    row = next(row for row in range(len(audio)) if context.example_path("train", row) == "train/x/stereo.wav")
    ideal = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 16000)
    assert np.abs(audio[row] - ideal)[200:].max() < 1e-3


def test_videos_of_a_phone_held_upright_are_upright_at_their_own_size(tmp_path: Path) -> None:
    pixels = np.zeros((3, 48, 64, 3), np.uint8)
    pixels[:, :24, :32] = 240
    phone = turned(of(pixels, "mp4"), 0, 1, -1, 0)
    context = job(tmp_path, {f"train/{label}/{label}.mp4": phone for label in "uv"})
    found, _ = context.arrays("train", frames=2)
    assert found.shape == (2, 2, 64, 48, 3)
    assert found[0].astype(int) == pytest.approx(np.rot90(pixels[:2], -1, (1, 2)).astype(int), abs=60)


def test_videos_are_frames_evenly_spaced(tmp_path: Path) -> None:
    files = {f"{label}/{n}.gif": clip(n) for label in "uv" for n in range(8)}
    context = job(tmp_path, files, Options(modality="video"))
    found, _ = context.arrays("train", frames=3, image_size=8)
    assert (found.shape[1:], found.dtype) == ((3, 8, 8, 3), np.uint8)
    assert found[0, :, 0, 0, 0].tolist() == [0, 80, 160]
    with pytest.raises(DatasetUnsuitable, match="say with frames="):
        context.arrays("train")


def test_sounds_and_videos_of_every_encoding_train_together(tmp_path: Path) -> None:
    sounds = {f"train/{label}/s.{kind}": sound(8000, 4000, kind.upper()) for label in "xy" for kind in ("ogg", "wav")}
    audio, _ = job(tmp_path / "sounds", sounds).arrays("train")
    ideal = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000) / 8000)
    assert audio.shape == (4, 4000)
    assert all(np.abs(row - ideal)[100:-100].max() < 0.05 for row in audio)
    videos = {f"train/{label}/{form}.{form}": video(form) for label in "xy" for form in ("mp4", "mov", "webm")}
    frames, _ = job(tmp_path / "videos", videos).arrays("train", frames=3)
    assert frames.shape == (6, 3, 48, 64, 3)
    assert all(row.mean((1, 2, 3)) == pytest.approx([0, 80, 200], abs=12) for row in frames)


def test_what_is_too_large_to_be_held_whole_is_refused_with_its_size_and_what_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sounds = {f"train/{label}/{n}.wav": sound(8000, 4000) for label in "xy" for n in range(4)}
    out = io.BytesIO()
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(out, "PNG")
    images = {f"train/{label}/1.png": out.getvalue() for label in "xy"}
    monkeypatch.setattr(scratch, "MAX_BYTES", 1000)
    monkeypatch.setattr(columns, "MAX_HELD_BYTES", 1000)
    monkeypatch.setattr(data, "MAX_HELD_BYTES", 1000)

    def refused(name: str, files: dict[str, bytes], **form: Any) -> TooLarge:
        with pytest.raises(TooLarge) as caught:
            job(tmp_path / name, files).arrays("train", **form)
        if isinstance(caught.value, NoRoom):
            assert classify(caught.value) is FailureClass.STORAGE
            return caught.value
        assert classify(caught.value) is FailureClass.INVALID_DATA
        assert describe(caught.value, tmp_path).message == str(caught.value)
        return caught.value

    error = refused("sounds", sounds, seconds=0.25)
    assert error.facts == {"feature": "audio", "split": "train", "bytes": str(8 * 2000 * 4), "most": "1000"}
    assert "'audio' of split 'train' takes 5.96e-05 GiB decoded, which is wanted whole, and" in str(error)
    assert "take less of each with seconds=… and sample_rate=… (of a template: --set), or go through it in" in str(
        error
    )
    assert isinstance(error, MemoryError), "code that catches this goes on with batches"
    error = refused("images", images, image_size=16)
    assert error.facts["bytes"] == str(2 * 16 * 16 * 3)
    assert "with image_size=…" in str(error)
    assert "a version of the dataset that has less of it" in str(refused("texts", {"t.csv": TEXTS}))
    monkeypatch.setattr(scratch, "MAX_BYTES", 1 << 30)
    monkeypatch.setattr(scratch, "_SPARE_BYTES", 1 << 60)
    error = refused("sounds", {}, seconds=0.25)
    assert isinstance(error, NoRoom)
    assert "the worker's disk has no room for it; take less" in str(error)


def test_rows_of_an_array_come_as_an_array_of_them_would_without_a_copy(tmp_path: Path) -> None:
    context = job(tmp_path, {f"train/{label}/{n}.wav": sound(8000, 4000 + n) for label in "xy" for n in range(9)})
    audio, labels = context.arrays("train", seconds=0.25)
    rows = np.array([1, 2, 5, 9, 11, 12, 17])
    for whole in (audio, audio[:, ::2]):
        wanted = list(context.data.ordered_arrays((whole[rows], labels[rows]), 3).as_numpy_iterator())
        found = context.data.ordered_rows(whole, rows, labels[rows], 3, is_training=True)
        assert len(found) == 3
        for ours, theirs in zip(found.as_numpy_iterator(), wanted, strict=True):
            assert all(map(np.array_equal, ours, theirs))
    judged = context.data.ordered_rows(audio, rows, labels[rows], 3, is_training=False)
    assert np.array_equal(np.concatenate([each for each, _ in judged.as_numpy_iterator()]), audio[rows])


def test_webp_images_train_as_others_do(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(np.full((6, 8, 3), (200, 10, 10), np.uint8)).save(out, "WEBP", lossless=True)
    context = job(tmp_path, {f"train/{label}/1.webp": out.getvalue() for label in "xy"})
    pictures, _ = context.arrays("train")
    assert pictures[0, 0, 0].tolist() == [200, 10, 10]


def exported(context: Context, folder: Path, model: Any, **how: Any) -> tuple[dict[str, Any], Any]:
    context.export(model, **how)
    return json.loads((folder / "model/modelyard.model.json").read_text()), np.load(folder / "model/golden.npz")


def test_a_signature_named_like_the_features_is_asked_with_what_is_held_out(tmp_path: Path) -> None:
    context = job(tmp_path, {"t.csv": TEXTS})
    words = keras.layers.TextVectorization(max_tokens=50)
    words.adapt(context.arrays("train")[0].astype(str))
    text = keras.Input((), dtype="string", name="text")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(50, 4)(words(text)))
    model = keras.Model(text, keras.layers.Dense(2, activation="softmax")(pooled))
    names = tf.constant(context.classes)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(text: Any) -> Any:
        found = model(text)
        return {"probabilities": found, "label": tf.gather(names, tf.argmax(found, -1))}

    about, golden = exported(context, tmp_path, model, signature={"serving_default": serve}, task="text-classification")
    assert (about["task"], about["classes"], about["inputs"]) == ("text-classification", ["a", "b"], {"text": "text"})
    assert "synthetic_examples" not in about
    held_out = set(context.arrays("test")[0].tolist())
    assert set(golden["serving_default/inputs/text"].tolist()) <= held_out
    assert len(golden["labels"]) == len(golden["serving_default/outputs/label"])


def test_recordings_that_end_in_zero_bytes_are_not_kept_without_their_ends(tmp_path: Path) -> None:
    def recording(silent: int) -> bytes:
        wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(4000 - silent) / 8000)
        out = io.BytesIO()
        soundfile.write(out, np.append(wave, np.zeros(silent)), 8000, format="WAV", subtype="PCM_16")
        return out.getvalue()

    whole, silent = recording(0), recording(500)
    assert (whole[-1] != 0, silent[-1000:]) == (True, bytes(1000))
    files = {f"{split}/{label}/{n}.wav": silent for split in ("train", "test") for label in "xy" for n in range(3)}
    spec = tf.TensorSpec([None], tf.string)
    assert not len(Known(job(tmp_path / "silent", files).data, 16).rows({"audio": spec})), "none would be itself"

    @tf.function(input_signature=[spec])
    def loudness(audio: Any) -> Any:
        def loudest(data: Any) -> Any:
            return tf.reduce_max(tf.audio.decode_wav(data).audio)

        return {"loudness": tf.map_fn(loudest, audio, fn_output_signature=tf.float32)}

    context = job(tmp_path, {**files, "test/x/1.wav": whole})
    about, golden = exported(context, tmp_path, tf.Module(), signature={"serving_default": loudness})
    assert "synthetic_examples" not in about
    assert golden["serving_default/inputs/audio"].tolist() == [whole]
    assert golden["labels"].tolist() == [0]


def test_one_value_for_all_rows_is_an_input_too(tmp_path: Path) -> None:
    ratings = b"user,item,rating\n" + b"".join(b"u%d,i%d,%d\n" % (n % 3, n % 4, n % 5) for n in range(60))
    context = job(tmp_path, {"ratings.csv": ratings}, Options(layout="interactions"))
    model = tf.Module()
    model.items = tf.Variable([f"i{n}" for n in range(20)])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)])
    def recommend(user: Any, k: Any) -> Any:
        return {"items": tf.tile(model.items[tf.newaxis, :k], [tf.shape(user)[0], 1])}

    about, golden = exported(context, tmp_path, model, signature={"recommend": recommend}, inputs={"k": "number"})
    assert about["inputs"] == {"user": "user", "k": "number"}
    assert golden["recommend/inputs/k"] == 10
    assert golden["recommend/outputs/items"].shape[1] == 10
