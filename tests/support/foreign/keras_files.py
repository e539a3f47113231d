"""`.keras` files, good ones and evil ones."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.foreign.models import model
from tests.support.foreign.saved_models import plain


@model
def keras_plain(target: Path, ran: Path) -> None:
    """Two inputs, two outputs."""
    import keras

    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate()([keras.layers.Dense(4, activation="relu")(a), b])
    outputs = {
        "p": keras.layers.Dense(2, activation="softmax", name="p")(joined),
        "q": keras.layers.Dense(1, name="q")(joined),
    }
    keras.Model({"a": a, "b": b}, outputs).save(target.with_suffix(".keras"))


@model
def keras_pictures(target: Path, ran: Path) -> None:
    """A classifier of pictures that were divided by 255."""
    import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    keras.Sequential(layers).save(target.with_suffix(".keras"))


@model
def keras_lambda(target: Path, ran: Path) -> None:
    import keras

    def evil(x: Any) -> Any:
        with open(str(ran), "w") as file:  # noqa: PTH123 - it has to run without this module's imports
            file.write("here")
        return x

    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(evil, name="innocent")]).save(target.with_suffix(".keras"))
    ran.unlink(missing_ok=True)


@model
def keras_tfsm(target: Path, ran: Path) -> None:
    import keras

    source = target.with_name("tfsm-source")
    plain(source, ran)
    layer = keras.layers.TFSMLayer(str(source), call_endpoint="serving_default", name="smuggled")
    keras.Sequential([keras.Input((3,)), layer]).save(target.with_suffix(".keras"))


@model
def keras_custom(target: Path, ran: Path) -> None:
    import keras

    @keras.saving.register_keras_serializable("theirs")
    class Special(keras.layers.Layer):  # type: ignore[misc]
        __module__ = "__main__"  # a script's own

        def call(self, x: Any) -> Any:
            return x * 2.0

    keras.Sequential([keras.Input((3,)), Special(name="special")]).save(target.with_suffix(".keras"))


@model
def keras_get_file(target: Path, ran: Path) -> None:
    """Its configuration names a function of Keras that fetches and unpacks."""
    _reconfigured(
        target, {"module": "keras.utils", "class_name": "get_file", "config": {"origin": f"file://{__file__}"}}
    )


@model
def keras_os_system(target: Path, ran: Path) -> None:
    _reconfigured(target, {"module": "os", "class_name": "system", "config": f"touch {ran}", "registered_name": None})


@model
def keras_gigantic(target: Path, ran: Path) -> None:
    """A layer of 400 GB in a few bytes of configuration."""

    def grow(config: Any) -> None:
        config["config"]["layers"][1]["config"]["units"] = 100_000_000_000 // 3

    _rewritten(target, grow)


@model
def keras_linked(target: Path, ran: Path) -> None:
    """Its weights are links to another HDF5 file."""
    import h5py
    import numpy as np

    secret = target.with_name("secret.h5")
    with h5py.File(secret, "w") as file:
        file["kernel"], file["bias"] = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    _rewritten(target, lambda config: None)
    path = target.with_suffix(".keras")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = target.with_name("linked.h5")
    weights.write_bytes(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        layers = file["layers"]
        name = next(iter(layers))
        for key, dataset in (("0", "kernel"), ("1", "bias")):
            del layers[name]["vars"][key]
            layers[name]["vars"][key] = h5py.ExternalLink(str(secret), dataset)
    parts["model.weights.h5"] = weights.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _reconfigured(target: Path, layer: dict[str, Any]) -> None:
    _rewritten(target, lambda config: config["config"]["layers"].__setitem__(1, layer))


def _rewritten(target: Path, change: Callable[[Any], None]) -> None:
    """A small `.keras` file whose configuration was changed."""
    import keras

    path = target.with_suffix(".keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
