"""What models become, in this process."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.job import export
from modelyard.job.channel import SilentChannel
from modelyard.job.errors import ExportInvalid
from modelyard.job.messages import JobSpec
from modelyard.job.session import Context
from modelyard.job.trial import make_dataset

pytestmark = pytest.mark.filterwarnings("ignore:.*shuffle=True. was passed:UserWarning")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    make_dataset(tmp_path / "data", (8, 8, 1), classes=4, examples=80)
    spec = JobSpec(job="j", attempt=1, code=str(tmp_path), entry="train", fd=-1, dataset="data")
    return Context(spec, tmp_path, SilentChannel())


def classifier(shape: tuple[int, ...] = (8, 8, 1), last: str | None = "softmax", loss: Any = None) -> Any:
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(4, activation=last)]
    model = keras.Sequential(layers)
    model.compile("adam", loss or "sparse_categorical_crossentropy")
    return model


def fitted(context: Context, model: Any, x: Any, y: Any = None) -> Any:
    context.fed.saw(model, x)
    model.fit(x, y, verbose=0)
    return model


def exported(context: Context, model: Any, **how: Any) -> tuple[dict[str, Any], Any]:
    folder = context.export(model, **how)
    return json.loads((folder / "modelyard.model.json").read_text()), tf.saved_model.load(str(folder)).signatures


PREPARED = {
    "divided by 255": lambda x: x / 255.0,
    "in float32": lambda x: x.astype("float32") / 255,
    "from -1 to 1": lambda x: x / 127.5 - 1,
    "standardised": lambda x: (x - x.mean()) / x.std(),
    "inverted": lambda x: 1 - x / 255,
    "as they are": lambda x: x,
    "as floats": lambda x: x.astype("float32"),
    "the first of them": lambda x: x[:40] / 255,
}


@pytest.mark.parametrize("way", PREPARED.values(), ids=PREPARED.keys())
def test_what_a_script_does_to_the_pictures_is_part_of_what_is_served(context: Context, way: Any) -> None:
    x, y = context.arrays("train")
    given = way(x)
    model = fitted(context, classifier(), given, y[: len(given)])
    about, signatures = exported(context, model)
    assert about["signatures"]["serving_default"]["inputs"] == {"image": {"dtype": "uint8", "shape": [-1, 8, 8, 1]}}
    answers = signatures["serving_default"](image=tf.constant(x[:16]))["probabilities"]
    np.testing.assert_allclose(answers, model.predict(given[:16], verbose=0), atol=1e-5)
    png = tf.constant([tf.io.encode_png(picture).numpy() for picture in x[:16]])
    np.testing.assert_allclose(signatures["encoded"](image_bytes=png)["probabilities"], answers, atol=1e-5)


def test_flattened_pictures_are_flattened_in_what_is_served(context: Context) -> None:
    x, y = context.arrays("train")
    flat = x.reshape(len(x), -1) / 255
    model = fitted(context, classifier((64,)), flat, y)
    _, signatures = exported(context, model)
    answers = signatures["serving_default"](image=tf.constant(x[:16]))["probabilities"]
    np.testing.assert_allclose(answers, model.predict(flat[:16], verbose=0), atol=1e-5)


def test_a_dataset_that_scales_its_pictures_is_seen_too(context: Context) -> None:
    scaled = context.dataset("train", batch_size=20).map(lambda x, y: (tf.cast(x, tf.float32) / 255, y))
    model = fitted(context, classifier(), scaled)
    x, _ = context.arrays("train")
    _, signatures = exported(context, model)
    answers = signatures["serving_default"](image=tf.constant(x[:16]))["probabilities"]
    np.testing.assert_allclose(answers, model.predict(x[:16] / 255, verbose=0), atol=1e-5)


def test_what_cannot_be_seen_is_not_guessed(context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = context.arrays("train")
    squared = (x / 255.0) ** 2
    model = fitted(context, classifier(), squared, y)
    about, signatures = exported(context, model)
    assert "context.export(model, prepare=lambda images: …)" in capsys.readouterr().out
    (inputs,) = about["signatures"]["serving_default"]["inputs"].values()
    assert inputs == {"dtype": "float32", "shape": [-1, 8, 8, 1]}
    assert "encoded" not in signatures
    _, signatures = exported(context, model, prepare=lambda images: (tf.cast(images, tf.float32) / 255) ** 2)
    answers = signatures["serving_default"](image=tf.constant(x[:16]))["probabilities"]
    np.testing.assert_allclose(answers, model.predict(squared[:16], verbose=0), atol=1e-5)


def test_logits_become_probabilities_and_scores_are_called_so(context: Context) -> None:
    x, y = context.arrays("train")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = fitted(context, classifier(last=None, loss=loss), x, y)
    _, signatures = exported(context, model)
    answers = signatures["serving_default"](image=tf.constant(x[:16]))["probabilities"]
    np.testing.assert_allclose(answers, tf.nn.softmax(model.predict(x[:16], verbose=0)), atol=1e-5)
    wrapped = keras.Sequential([keras.Input((8, 8, 1)), model, keras.layers.Activation("relu")])
    about, _ = exported(context, wrapped)
    assert list(about["signatures"]["serving_default"]["outputs"]) == ["scores"]


def two_by_two() -> Any:
    age, words = keras.Input((3,), name="age"), keras.Input((5,), name="words")
    both = keras.layers.concatenate([age, words])
    return keras.Model(
        {"age": age, "words": words},
        {"price": keras.layers.Dense(1)(both), "kind": keras.layers.Dense(2, activation="softmax")(both)},
    )


def test_several_inputs_and_outputs_keep_their_names(context: Context) -> None:
    model = two_by_two()
    model.compile("adam", {"price": "mse", "kind": "categorical_crossentropy"})
    random = np.random.default_rng(0)
    x = {"words": random.random((40, 5)), "age": random.random((40, 3))}
    y = {"price": random.random((40, 1)), "kind": np.eye(2)[np.arange(40) % 2]}
    about, signatures = exported(context, fitted(context, model, x, y))
    form = about["signatures"]["serving_default"]
    assert form["inputs"]["age"] == {"dtype": "float32", "shape": [-1, 3]}
    assert form["inputs"]["words"] == {"dtype": "float32", "shape": [-1, 5]}
    assert (form["outputs"]["price"]["shape"], form["outputs"]["kind"]["shape"]) == ([-1, 1], [-1, 2])
    given = {name: tf.constant(values[:4], tf.float32) for name, values in x.items()}
    expected = model(given)
    for name, values in signatures["serving_default"](**given).items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6)
    golden = np.load(context._folder / "model/golden.npz")
    np.testing.assert_allclose(golden["serving_default/inputs/age"], x["age"][:16].astype(np.float32))


def test_a_signature_of_the_codes_own(context: Context) -> None:
    model = two_by_two()
    specs = {"words": tf.TensorSpec((None, 5), tf.float32), "age": tf.TensorSpec((None, 3), tf.float32)}
    about, _ = exported(context, model, signature=specs)
    assert about["synthetic_examples"] is True
    assert set(about["signatures"]["serving_default"]["inputs"]) == {"age", "words"}

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float64), tf.TensorSpec((None, 5), tf.float64)])
    def price(age: Any, words: Any) -> Any:
        return {"price": model({"age": age, "words": words})["price"]}

    examples = {"age": np.ones((2, 3)), "words": np.zeros((2, 5))}
    about, signatures = exported(context, model, signature={"serving_default": price}, examples=examples)
    assert "synthetic_examples" not in about
    assert about["signatures"]["serving_default"]["inputs"]["age"] == {"dtype": "float64", "shape": [-1, 3]}
    assert signatures["serving_default"](**{name: tf.constant(v) for name, v in examples.items()})["price"].shape == (
        2,
        1,
    )


class Own(keras.Model):
    """Says nothing about its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.last = keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.last(x)


def test_a_model_without_declared_inputs_is_served_as_it_was_fitted(context: Context) -> None:
    model = Own()
    with pytest.raises(ExportInvalid, match="does not say what it takes"):
        context.export(model)
    model.compile("adam", "mse")
    about, _ = exported(context, fitted(context, model, np.ones((20, 3), np.float32), np.ones((20, 2))))
    (inputs,) = about["signatures"]["serving_default"]["inputs"].values()
    assert inputs == {"dtype": "float32", "shape": [-1, 3]}


class Held:
    """A model that is no layer, and holds one."""

    def __init__(self, network: Any) -> None:
        self.network = network


def test_a_recurrent_layer_is_saved_for_machines_without_a_gpu() -> None:
    given = keras.Input((4, 3))
    model = keras.Model(
        given, keras.layers.Bidirectional(keras.layers.GRU(2))(keras.layers.LSTM(3, return_sequences=True)(given))
    )
    for exported in (model, Held(model)):
        both = model.layers[2]
        cells = (model.layers[1], both.forward_layer, both.backward_layer)
        for cell in cells:
            cell.use_cudnn = "auto"
        export._for_every_device(exported)
        assert [cell.use_cudnn for cell in cells] == [False] * 3


def test_a_model_that_answers_otherwise_each_time_is_no_output(context: Context) -> None:
    class Noise(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x + tf.random.uniform(tf.shape(x))

    inputs = keras.Input((3,))
    with pytest.raises(ExportInvalid, match="does it draw random numbers"):
        context.export(keras.Model(inputs, Noise()(inputs)))
    assert not (context._folder / "model").exists()
